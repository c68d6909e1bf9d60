namespace Dataplane.Native;

/// <summary>Counters of an <see cref="AfPacketReceiver"/> since it was opened; a snapshot, not atomic across fields.</summary>
public readonly record struct AfPacketReceiveStatistics
{
    /// <summary>Frames handed out, segments of super-frames counted one by one.</summary>
    public long Frames { get; init; }

    /// <summary>Bytes handed out, from the first MAC byte, without FCS.</summary>
    public long Bytes { get; init; }

    /// <summary>Frames that the kernel dropped because every block was in use.</summary>
    public long KernelDrops { get; init; }

    /// <summary>Times that the kernel stopped filling because every block was in use.</summary>
    public long KernelFreezes { get; init; }

    /// <summary>Frames or blocks whose offsets or lengths did not fit the ring; dropped.</summary>
    public long Malformed { get; init; }

    /// <summary>Frames longer than a block can hold; dropped.</summary>
    public long Oversized { get; init; }

    /// <summary>Super-frames of a kind that cannot be cut here (tunnelled, fragmented, with a routing header); dropped.</summary>
    public long UnsupportedSuperFrames { get; init; }

    /// <summary>Super-frames cut into segments.</summary>
    public long SuperFrames { get; init; }

    /// <summary>Segments made of super-frames.</summary>
    public long Segments { get; init; }

    /// <summary>Frames whose unfinished checksum was completed.</summary>
    public long ChecksumsCompleted { get; init; }

    /// <summary>Frames whose VLAN tag was put back into them.</summary>
    public long VlanTagsRestored { get; init; }
}
