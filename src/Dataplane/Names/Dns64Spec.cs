using Dataplane.Packets;

namespace Dataplane.Names;

/// <summary>Makes IPv6 addresses of IPv4 ones for names that have no other (DNS64, RFC 6147), so that hosts with IPv6 only reach them by NAT64. Immutable.</summary>
public sealed record Dns64Spec
{
    /// <summary>What addresses are embedded behind (RFC 6052 2.2): IPv6, of 32, 40, 48, 56, 64 or 96 bits, bits 64 to 71 zero; the same as that of the NAT64.
    /// Default: the well-known 64:ff9b::/96, behind which no private address is put (RFC 6052 3.1).</summary>
    public IpPrefix Prefix { get; init; } = IpPrefix.Parse("64:ff9b::/96");

    /// <summary>Addresses that are passed over: IPv6 ones as if the name did not have them (RFC 6147 5.1.4), IPv4 ones get no IPv6 address. Default: ::ffff:0:0/96.</summary>
    public IReadOnlyList<IpPrefix> Exclude { get; init; } = [IpPrefix.Parse("::ffff:0:0/96")];
}
