using Dataplane.Packets;

namespace Dataplane.Nat64;

/// <summary>An explicit address mapping (RFC 7757 3.1): the bits behind the one prefix are those behind the other.</summary>
public sealed record SiitMappingSpec
{
    /// <summary>IPv4 address or prefix.</summary>
    public required IpPrefix V4 { get; init; }

    /// <summary>IPv6 address or prefix; leaves at least as many bits as <see cref="V4"/> does.</summary>
    public required IpPrefix V6 { get; init; }

    /// <summary>Which family the hosts themselves speak; the other address is what the rest of the world reaches them by.</summary>
    public SiitHosts Hosts { get; init; }
}
