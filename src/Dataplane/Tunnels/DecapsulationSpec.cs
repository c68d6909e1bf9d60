using Dataplane.Packets;

namespace Dataplane.Tunnels;

/// <summary>An address at which packets inside packets are taken out.</summary>
public sealed record DecapsulationSpec
{
    /// <summary>The address. If it lies in a connected prefix, the engine answers ARP or neighbour discovery for it.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>Which kinds are taken out; others are packets to the engine, and refused as such.</summary>
    public TunnelKinds Kinds { get; init; } = TunnelKinds.Ipip | TunnelKinds.Gue;

    /// <summary>Outer sources that are listened to; none: all. Whoever is listened to can send packets from any source address.</summary>
    public IReadOnlyList<IpPrefix> From { get; init; } = [];
}
