namespace Dataplane.Native;

/// <summary>Shape of an AF_XDP port's rings, and how it is tied to its interface.</summary>
public sealed record AfXdpOptions
{
    /// <summary>Where the XDP program runs; by default in the driver where it can.</summary>
    public XdpMode Mode { get; init; }

    /// <summary>Whether the driver may work on the frames' memory itself, where it can (XDP_ZEROCOPY); else the kernel copies each frame once.</summary>
    public bool AllowZeroCopy { get; init; } = true;

    /// <summary>
    /// Whether frames may lie in several buffers (XDP_USE_SG), which those of interfaces with an MTU beyond 3,822 bytes need; else, and where the kernel (before 6.6)
    /// refuses, longer ones are dropped and counted.
    /// </summary>
    public bool AllowMultiBuffer { get; init; } = true;

    /// <summary>Number of the interface's receive and transmit queue, 0 to 63. Frames of other queues stay with the kernel.</summary>
    public int Queue { get; init; }

    /// <summary>Entries of each ring: a power of two from 64 to 16,384. As many frames wait for the reader at most.</summary>
    public int RingEntries { get; init; } = 2048;

    /// <summary>
    /// Frames that one round of busy polling takes, 1 to 1,024; 0: no busy polling. With it the reader's own system calls run the driver's receive
    /// path (SO_PREFER_BUSY_POLL), on the reader's processor; without it interrupts do, on theirs.
    /// </summary>
    public int BusyPollBudget { get; init; }

    /// <summary>Network namespace of the interface: null for the current one, a name as in <c>ip netns list</c>, or a path.</summary>
    public string? NetworkNamespace { get; init; }

    internal void Validate()
    {
        if (Mode is not (XdpMode.Auto or XdpMode.Native or XdpMode.Generic))
            throw new ArgumentOutOfRangeException(nameof(Mode), Mode, "The mode must be automatic, native or generic.");
        ArgumentOutOfRangeException.ThrowIfNegative(Queue);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Queue, 63);
        ArgumentOutOfRangeException.ThrowIfLessThan(RingEntries, 64);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(RingEntries, 16_384);
        if (!int.IsPow2(RingEntries))
            throw new ArgumentOutOfRangeException(nameof(RingEntries), RingEntries, "The number of entries of a ring must be a power of two.");
        ArgumentOutOfRangeException.ThrowIfNegative(BusyPollBudget);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BusyPollBudget, 1024);
    }
}
