using Dataplane.Packets;

namespace Dataplane.Switching;

/// <summary>A route that endpoints are told of by DHCP (RFC 3442).</summary>
public sealed record DhcpRouteSpec
{
    /// <summary>The IPv4 prefix it leads to, without bits behind its length.</summary>
    public required IpPrefix To { get; init; }

    /// <summary>The router, an address of the network's IPv4 subnets; null: the gateway.</summary>
    public IpAddress? Via { get; init; }
}
