using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>What a route says about a destination.</summary>
internal enum RouteKind : byte
{
    Forward = 0,
    Local,
    Broadcast,
    Blackhole,
    Unreachable,
    Prohibited,
}

/// <summary>A compiled route: a kind, and for forwarding the group of next hops. Immutable.</summary>
internal sealed class RouteEntry
{
    public required RouteKind Kind { get; init; }

    /// <summary>For explain: the prefix.</summary>
    public required IpPrefix Prefix { get; init; }

    /// <summary>Next hops by slot: a flow's hash chooses the slot. One element for a single next hop.</summary>
    public int[] Slots { get; init; } = [];

    /// <summary>The next hop for a flow.</summary>
    public int Select(uint hash)
    {
        int[] slots = Slots;
        return slots[(int)(((ulong)hash * (uint)slots.Length) >> 32)];
    }
}

/// <summary>One way out: an interface, and a gateway unless the destination itself is on the link.</summary>
internal sealed class NextHop
{
    public required L3Interface Interface { get; init; }

    /// <summary>None: the destination is the neighbour.</summary>
    public required IpAddress Gateway { get; init; }

    /// <summary>Neighbour behind the gateway, remembered by the worker, and its generation then.</summary>
    public int CachedNeighbour { get; set; } = -1;

    /// <inheritdoc cref="CachedNeighbour"/>
    public uint CachedGeneration { get; set; }

    public override string ToString() => Gateway.IsNone ? $"on-link on {Interface}" : $"{Gateway} on {Interface}";
}
