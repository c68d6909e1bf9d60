namespace Dataplane.Switching;

/// <summary>How the endpoints of a network that ask by DHCP are answered (RFC 2131): each is told its first IPv4 address of <see cref="EndpointSpec.Addresses"/> and no other.</summary>
/// <remarks>With it go the subnet mask, the gateway, the MTU, the broadcast address, the network's name servers and search list, and routes (RFC 2132, 3397, 3442).
/// In a network with an IPv6 subnet, with IPv4 beside it or without, DHCPv6 is answered (RFC 8415): all IPv6 addresses of the endpoint's own, name servers and search list (RFC 3646), to those who ask for addresses and to those who do not;
/// router advertisements then say that there is DHCPv6 (flags M and O).</remarks>
public sealed record DhcpSpec
{
    /// <summary>How long an address may be used before it is asked for again, 60 s to 604800 s (7 days) in whole seconds. It stays the endpoint's either way.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromHours(1);

    /// <summary>IPv4 routes beside the default route, which leads to the gateway unless the network is internal.</summary>
    public IReadOnlyList<DhcpRouteSpec> Routes { get; init; } = [];
}
