using Dataplane.Packets;

namespace Dataplane.Nat64;

/// <summary>Stateless translation between the families (SIIT, RFC 7915): addresses alone say what becomes of a packet, so that every gateway with the same configuration translates alike.</summary>
/// <remarks>A host of a mapping has an address in each family (explicit address mappings, RFC 7757); whoever has no mapping is seen in IPv6 behind the prefix (RFC 6052). For servers that have
/// IPv6 only (SIIT-DC, RFC 7755) mappings name them; for hosts that have IPv4 only behind a network that has IPv6 only (CLAT of 464XLAT, RFC 6877; edge relays, RFC 7756) they are marked so.</remarks>
public sealed record SiitSpec
{
    /// <summary>Most mappings that there may be.</summary>
    public const int MaxMappings = 65_536;

    /// <summary>Where IPv4 addresses without a mapping stand in IPv6: 32, 40, 48, 56, 64 or 96 bits (RFC 6052 2.2).</summary>
    public required IpPrefix Prefix { get; init; }

    /// <summary>Hosts with an address in each family; of prefixes that contain each other the longest holds.</summary>
    public IReadOnlyList<SiitMappingSpec> Mappings { get; init; } = [];

    /// <summary>IPv4 addresses that ICMP errors of IPv6 routers seem to come from, which have none themselves (RFC 6791). Empty: an address of the engine's.</summary>
    public IReadOnlyList<IpAddress> RouterAddresses { get; init; } = [];

    /// <summary>Whether UDP over IPv4 without a checksum is dropped instead of given one (RFC 7915 4.5).</summary>
    public bool DropUdpWithoutChecksum { get; init; }
}
