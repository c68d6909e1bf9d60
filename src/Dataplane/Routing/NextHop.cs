using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>One way out: an interface, and a gateway unless the destination itself is on the link.</summary>
internal sealed class NextHop
{
    public required L3Interface Interface { get; init; }

    /// <summary>None: the destination is the neighbour.</summary>
    public required IpAddress Gateway { get; init; }

    /// <summary>What stays the same when tables are compiled anew.</summary>
    public (string Port, ushort Vlan, IpAddress Gateway) Identity => (Interface.PortName, Interface.Vlan, Gateway);

    /// <summary>Neighbour behind the gateway, remembered by the worker, and its generation then.</summary>
    public int CachedNeighbour { get; set; } = -1;

    /// <inheritdoc cref="CachedNeighbour"/>
    public uint CachedGeneration { get; set; }

    /// <summary>The same next hop for another worker, which remembers nothing yet.</summary>
    public NextHop Copy() => new() { Interface = Interface, Gateway = Gateway };

    public override string ToString() => Gateway.IsNone ? $"on-link on {Interface}" : $"{Gateway} on {Interface}";
}
