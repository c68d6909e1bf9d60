namespace Dataplane.Balancing;

/// <summary>What becomes of the TCP flows of a backend that is taken out of a service, or whose drain deadline has passed. UDP flows always move.</summary>
public enum RemovePolicy
{
    /// <summary>Their next packet goes to another backend, which does not know the connection and answers a reset of its own.</summary>
    Move = 0,

    /// <summary>The sender of their next packet gets a TCP reset (RFC 9293 3.5.2) from the engine; the packet is dropped as <c>flow_reset</c>.</summary>
    Reset,

    /// <summary>They go on to the backend that was removed until they end by themselves.</summary>
    Keep,
}
