namespace Dataplane.Native;

/// <summary>Counters of an <see cref="AfXdpSocket"/> since it was opened; a snapshot, not atomic across fields.</summary>
internal readonly record struct AfXdpStatistics
{
    /// <summary>Frames that the kernel dropped for want of a chunk, of room in the ring, or because they were longer than a chunk.</summary>
    public long KernelDrops { get; init; }

    /// <summary>Entries of our rings that the kernel refused: a fault of ours, always 0.</summary>
    public long InvalidEntries { get; init; }

    /// <summary>Entries of the receive ring that did not fit the memory; dropped.</summary>
    public long Malformed { get; init; }

    /// <summary>Frames that the driver dropped when they were handed to it.</summary>
    public long DriverDrops { get; init; }

    /// <summary>Times that the driver had no room for the rest.</summary>
    public long Congested { get; init; }

    /// <summary>System calls made to send and to poll.</summary>
    public long Kicks { get; init; }
}
