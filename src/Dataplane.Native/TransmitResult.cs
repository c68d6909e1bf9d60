namespace Dataplane.Native;

/// <summary>What became of the frames in a transmit ring.</summary>
public enum TransmitResult
{
    /// <summary>The kernel has taken all of them.</summary>
    Done,

    /// <summary>The driver has no room for the rest; they stay in the ring, in order, for the next attempt.</summary>
    Congested,

    /// <summary>The interface is down; they stay in the ring.</summary>
    LinkDown,

    /// <summary>The interface is gone; they stay in the ring and will never leave.</summary>
    Gone,
}
