namespace Dataplane.Ports;

/// <summary>What the agent knows of a port. The agent's.</summary>
internal sealed class MemifLink(MemifPort port, MemifListener? listener)
{
    public MemifPort Port { get; } = port;

    /// <summary>Where a server's clients come from; null for a client.</summary>
    public MemifListener? Listener { get; } = listener;

    /// <summary>A client's channel; null while there is none.</summary>
    public MemifChannel? Channel { get; set; }

    /// <summary>When a client tries again at the earliest.</summary>
    public long NextTryNs { get; set; }

    /// <summary>How long it waits after the next failure.</summary>
    public long RetryNs { get; set; } = MemifAgent.FirstRetryNs;

    /// <summary>Connections that the worker has not let go of.</summary>
    public List<MemifConnection> Ending { get; } = [];
}
