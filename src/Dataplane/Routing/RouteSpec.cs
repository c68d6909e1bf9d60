using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>A static route: to gateways, directly onto a port, or a refusal.</summary>
public sealed record RouteSpec
{
    /// <summary>Destinations the route is for.</summary>
    public required IpPrefix To { get; init; }

    /// <summary>Next hops, 1 to 64; several share the flows by weight (ECMP by flow hash). Empty when <see cref="Reject"/> is set.</summary>
    public IReadOnlyList<NextHopSpec> Via { get; init; } = [];

    /// <summary>Refuse instead of forwarding.</summary>
    public RouteReject Reject { get; init; }
}
