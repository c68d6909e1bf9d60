using Dataplane.Packets;

namespace Dataplane.Overlays;

/// <summary>An endpoint of a network that is attached at another host.</summary>
public sealed record RemoteEndpointSpec
{
    /// <summary>Name, unique among all endpoints of its network: 1 to 32 letters, digits, <c>-</c>, <c>_</c> or <c>.</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Its hardware address, unique in its network.</summary>
    public required MacAddress Mac { get; init; }

    /// <summary>Its addresses, in subnets of the network.</summary>
    public IReadOnlyList<IpAddress> Addresses { get; init; } = [];

    /// <summary>The peer that it is behind: one of <see cref="OverlaySpec.Peers"/>, or of those that <see cref="OverlaySpec.Links"/> lead to.</summary>
    public required IpAddress Peer { get; init; }
}
