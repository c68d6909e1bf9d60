namespace Dataplane.Balancing;

/// <summary>What becomes of the flows that remember a backend slot, at their next packet.</summary>
internal enum BackendFate : byte
{
    /// <summary>They go on.</summary>
    Stay = 0,

    /// <summary>They end; the packet is balanced anew and begins a flow with another backend.</summary>
    Move,

    /// <summary>They end; whoever sent the packet gets a TCP reset.</summary>
    Reset,
}
