namespace Dataplane.Ports;

/// <summary>What a <see cref="FaultyPort"/> did to the frames of one direction.</summary>
/// <remarks>At any time <c>Offered + Duplicated = Delivered + Lost + Refused + Waiting</c>.</remarks>
public struct FaultCounters
{
    /// <summary>Frames that came in: from the inner port, or accepted from the engine.</summary>
    public long Offered;

    /// <summary>Frames that were handed on: to the engine, or to the inner port.</summary>
    public long Delivered;

    /// <summary>Frames lost by chance, and those that no slot was long enough for.</summary>
    public long Lost;

    /// <summary>Frames that the inner port did not take when it was too late to tell the engine: duplicates and late ones. Transmit only.</summary>
    public long Refused;

    /// <summary>Frames added by doubling one.</summary>
    public long Duplicated;

    /// <summary>Frames handed on later than some that came after them.</summary>
    public long Reordered;

    /// <summary>Frames with one bit turned.</summary>
    public long Corrupted;

    /// <summary>Frames cut short.</summary>
    public long Truncated;

    /// <summary>Frames in the port that were not handed on yet.</summary>
    public long Waiting;
}
