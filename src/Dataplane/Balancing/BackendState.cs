namespace Dataplane.Balancing;

/// <summary>Whether a backend takes new flows, and if not, why.</summary>
public enum BackendState
{
    /// <summary>It takes new flows by its weight.</summary>
    Up = 0,

    /// <summary>Health checks, or the user, found it down: no new flows, UDP flows move, TCP flows stay.</summary>
    Down,

    /// <summary>It is being drained: no new flows, all others stay.</summary>
    Draining,

    /// <summary>The deadline of its drain has passed: its flows have been ended as if it had been removed.</summary>
    Drained,
}
