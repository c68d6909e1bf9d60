using System.Runtime.InteropServices;

namespace Dataplane.Ports;

/// <summary>The indices of a <see cref="FrameRing"/>: what each side writes lies 128 bytes from what the other side writes.</summary>
/// <remarks>
/// 128 and not 64, because the processor fetches lines in neighbouring pairs. All indices run freely and wrap by natural
/// overflow of <see cref="uint"/>; they are masked only where a slot is looked up, so that full and empty differ.
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = 768)]
internal struct RingIndices
{
    /// <summary>Frames the consumer may see. Written by the producer only (release), read by the consumer (acquire).</summary>
    [FieldOffset(128)]
    public uint Published;

    /// <summary>The producer's own: frames written so far, published or not.</summary>
    [FieldOffset(256)]
    public uint Written;

    /// <summary>The producer's own: its last look at <see cref="Released"/>.</summary>
    [FieldOffset(260)]
    public uint SeenReleased;

    /// <summary>The producer's own: where in the slab the next frame's head-room begins.</summary>
    [FieldOffset(264)]
    public int WriteAt;

    /// <summary>Frames the producer may overwrite. Written by the consumer only (release), read by the producer (acquire).</summary>
    [FieldOffset(384)]
    public uint Released;

    /// <summary>The consumer's own: frames taken so far, released or not.</summary>
    [FieldOffset(512)]
    public uint Taken;

    /// <summary>The consumer's own: its last look at <see cref="Published"/>.</summary>
    [FieldOffset(516)]
    public uint SeenPublished;

    /// <summary>Not 0: the consumer found the ring empty and may go to sleep; the next publication wakes it.</summary>
    [FieldOffset(640)]
    public int MaySleep;
}
