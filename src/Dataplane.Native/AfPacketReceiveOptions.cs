namespace Dataplane.Native;

/// <summary>Shape of an <see cref="AfPacketReceiver"/>'s ring.</summary>
public sealed record AfPacketReceiveOptions
{
    /// <summary>How frames are handed over.</summary>
    public AfPacketRing Ring { get; init; } = AfPacketRing.Slots;

    /// <summary>
    /// Size of a receive block in bytes: a power of two from 128 KB to 4 MB, so that a 64 KB super-frame fits. With <see cref="AfPacketRing.Blocks"/> the kernel hands a
    /// block over when it is full or <see cref="RetireTimeoutMs"/> after its first frame; with <see cref="AfPacketRing.Slots"/> it is only the piece that memory is taken in.
    /// </summary>
    public int BlockBytes { get; init; } = 128 << 10;

    /// <summary>
    /// Number of blocks, 2 to 1,024; together 1 GB at most. Slots for an MTU of 1,500 take 1,600 bytes each: 5,184 by default, 5 ms at a million frames per second, and 8 MB
    /// more of longer frames. With <see cref="AfPacketRing.Blocks"/>, under light load the kernel hands over one block per <see cref="RetireTimeoutMs"/>, however little is in it, so the
    /// number bounds for how long the reader may pause without loss: 64 ms by default. Under overload all blocks together bound how long a frame waits.
    /// </summary>
    public int BlockCount { get; init; } = 64;

    /// <summary>
    /// Longest time in milliseconds that a frame waits in a block that does not fill up, 1 to 100; nothing to <see cref="AfPacketRing.Slots"/>. It is what an idle link adds to the latency: half of it on
    /// average. An older kernel rounds it up to its timer tick (4 ms at HZ=250).
    /// </summary>
    public int RetireTimeoutMs { get; init; } = 1;

    /// <summary>Writable bytes in front of every frame, 64 to 512.</summary>
    public int HeadroomBytes { get; init; } = 64;

    /// <summary>Memory in bytes for the segments that super-frames are cut into between two releases, 128 KB to 16 MB.</summary>
    public int SegmentArenaBytes { get; init; } = 1 << 20;

    /// <summary>
    /// Whether frames keep what is unfinished in them: TCP and UDP checksums, and super-frames of up to 64 KB. <see cref="AfPacketReceiver.Unfinished"/> tells which
    /// they are. Otherwise every listed frame is as on a wire.
    /// </summary>
    internal bool KeepUnfinished { get; init; }

    /// <summary>The group of sockets that share the interface's frames; null: the socket gets them all.</summary>
    internal PacketFanout? Fanout { get; init; }

    /// <summary>Whether to receive frames for other stations too.</summary>
    public bool Promiscuous { get; init; } = true;

    /// <summary>Network namespace of the interface: null for the current one, a name as in <c>ip netns list</c>, or a path.</summary>
    public string? NetworkNamespace { get; init; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(BlockBytes, 128 << 10);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BlockBytes, 4 << 20);
        if (!int.IsPow2(BlockBytes))
            throw new ArgumentOutOfRangeException(nameof(BlockBytes), BlockBytes, "The size of a receive block must be a power of two.");
        ArgumentOutOfRangeException.ThrowIfLessThan(BlockCount, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BlockCount, 1024);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)BlockBytes * BlockCount, 1 << 30, nameof(BlockCount));
        ArgumentOutOfRangeException.ThrowIfLessThan(RetireTimeoutMs, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(RetireTimeoutMs, 100);
        ArgumentOutOfRangeException.ThrowIfLessThan(HeadroomBytes, 64);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(HeadroomBytes, 512);
        ArgumentOutOfRangeException.ThrowIfLessThan(SegmentArenaBytes, 128 << 10);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(SegmentArenaBytes, 16 << 20);
    }
}
