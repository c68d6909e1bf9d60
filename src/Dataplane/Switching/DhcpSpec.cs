namespace Dataplane.Switching;

/// <summary>How the endpoints of a network that ask by DHCP are answered (RFC 2131): each is told its first IPv4 address of <see cref="EndpointSpec.Addresses"/> and no other.</summary>
/// <remarks>With it go the subnet mask, the gateway, the MTU, the broadcast address, the network's name servers and search list, and routes (RFC 2132, 3397, 3442).</remarks>
public sealed record DhcpSpec
{
    /// <summary>How long an address may be used before it is asked for again, 60 s to 604800 s (7 days) in whole seconds. It stays the endpoint's either way.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromHours(1);

    /// <summary>IPv4 routes beside the default route, which leads to the gateway unless the network is internal.</summary>
    public IReadOnlyList<DhcpRouteSpec> Routes { get; init; } = [];
}
