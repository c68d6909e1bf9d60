namespace Dataplane.Switching;

/// <summary>What the gateway of a network with an IPv6 subnet says of itself to the endpoints attached here (RFC 4861, 6.2).</summary>
/// <remarks>Advertisements are sent to endpoints that solicit them and to all of them from time to time, each on its own port: the link-local address and hardware address of the
/// gateway, the MTU, every IPv6 subnet as on-link, and the network's name servers and search list (RFC 8106).</remarks>
public sealed record RouterAdvertisementSpec
{
    /// <summary>The longest time between two advertisements that nobody has asked for, 4 s to 1800 s; the shortest is a third of it (RFC 4861, 6.2.1).</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>How long endpoints may use the gateway as default router: 0, or from <see cref="Interval"/> to 9000 s, in whole seconds; null: three times the interval, and 0 in an
    /// internal network, from which no way leads out.</summary>
    public TimeSpan? Lifetime { get; init; }

    /// <summary>Whether endpoints are to ask for addresses by DHCPv6 (RFC 4861, 4.2: flag M). In a network with <see cref="NetworkSpec.Dhcp"/>, whose endpoints the engine answers, they are in any case.</summary>
    public bool Managed { get; init; }

    /// <summary>Whether endpoints are to ask for other settings by DHCPv6 (RFC 4861, 4.2: flag O). In a network with <see cref="NetworkSpec.Dhcp"/> they are in any case.</summary>
    public bool Other { get; init; }

    /// <summary>Whether endpoints make an address for themselves from each subnet, which must be a /64 (RFC 4862): the one that ends with the modified EUI-64 of their hardware address is
    /// then theirs, beside those of <see cref="EndpointSpec.Addresses"/>. Others, such as temporary ones (RFC 8981), are not.</summary>
    public bool Autonomous { get; init; }
}
