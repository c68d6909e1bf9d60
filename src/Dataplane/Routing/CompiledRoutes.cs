using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>Routes as the worker uses them, and what the control side must know to change them.</summary>
internal sealed record CompiledRoutes
{
    /// <summary>Prefixes to numbers.</summary>
    public required RouteTable Table { get; init; }

    /// <summary>What the numbers stand for; null for those not in use, and for 0.</summary>
    public required RouteEntry?[] Entries { get; init; }

    /// <summary>Next hops that entries name.</summary>
    public required NextHop[] Hops { get; init; }

    /// <summary>By interface: the next hop that reaches neighbours on its link directly.</summary>
    public required int[] OnLinkHops { get; init; }

    /// <summary>Prefixes of the configuration, of interfaces and services: routes learnt while running do not take their place.</summary>
    public required IReadOnlySet<IpPrefix> Configured { get; init; }

    /// <summary>Routes that lead to each entry. For the thread that changes routes.</summary>
    public required int[] Uses { get; init; }
}
