namespace Dataplane.Native;

/// <summary>Counters of an <see cref="AfPacketTransmitter"/> since it was opened; a snapshot, not atomic across fields.</summary>
/// <remarks>
/// <see cref="SubmittedFrames"/> = <see cref="SentFrames"/> + <see cref="RejectedFrames"/> + <see cref="WithdrawnFrames"/> + those still pending.
/// </remarks>
public readonly record struct AfPacketTransmitStatistics
{
    /// <summary>Frames put into the ring.</summary>
    public long SubmittedFrames { get; init; }

    /// <summary>Bytes put into the ring, from the first MAC byte.</summary>
    public long SubmittedBytes { get; init; }

    /// <summary>Frames that the kernel took over to the driver.</summary>
    public long SentFrames { get; init; }

    /// <summary>Frames that the kernel refused as malformed (TP_STATUS_WRONG_FORMAT).</summary>
    public long RejectedFrames { get; init; }

    /// <summary>Frames taken back from the ring unsent: the link was down, or its queue stayed full.</summary>
    public long WithdrawnFrames { get; init; }

    /// <summary>Times that a slot was asked for and none was free.</summary>
    public long RingFull { get; init; }

    /// <summary>Times that the driver had no room for a frame.</summary>
    public long Congested { get; init; }
}
