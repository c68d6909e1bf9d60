namespace Dataplane.Routing;

/// <summary>What is known about a neighbour (RFC 4861 7.3.2, used for ARP alike).</summary>
public enum NeighbourState : byte
{
    /// <summary>No entry.</summary>
    Free = 0,

    /// <summary>Asked for, no answer yet; packets wait.</summary>
    Incomplete,

    /// <summary>Confirmed within the last 30 seconds.</summary>
    Reachable,

    /// <summary>Known, not confirmed lately, and not in use.</summary>
    Stale,

    /// <summary>Known and in use, being asked again.</summary>
    Probe,

    /// <summary>Given by the configuration.</summary>
    Static,
}
