using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>One next hop of a route.</summary>
public sealed record NextHopSpec
{
    /// <summary>Gateway address; must lie in a connected prefix unless <see cref="Port"/> is given. Null: destinations are on the port's link itself.</summary>
    public IpAddress? Address { get; init; }

    /// <summary>Name of the port; empty: the one whose connected prefix holds <see cref="Address"/>.</summary>
    public string Port { get; init; } = "";

    /// <summary>802.1Q VLAN identifier when <see cref="Port"/> is given; 0: untagged.</summary>
    public int Vlan { get; init; }

    /// <summary>Share of the flows, 1 to 255.</summary>
    public int Weight { get; init; } = 1;
}
