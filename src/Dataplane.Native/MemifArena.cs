namespace Dataplane.Native;

/// <summary>The memory that received frames are copied to: one behind the other, each behind its head-room, from the front again for each batch.</summary>
/// <remarks>A batch of small frames takes 48 KB of it, in lines that stay in the first-level cache from batch to batch.</remarks>
internal sealed unsafe class MemifArena : IDisposable
{
    /// <summary>Bytes of a cache line; frames begin on one.</summary>
    internal const int LineBytes = 64;

    /// <summary>Free bytes before every frame. Two lines, so that frames of one line lie three apart and spread over all sets of a cache.</summary>
    internal const int HeadroomBytes = 128;

    /// <summary>Makes room for a number of frames of a length.</summary>
    public MemifArena(int frames, int maxFrameBytes) => Region = MappedRegion.Allocate((frames * SpaceFor(maxFrameBytes)) + HeadroomBytes + LineBytes);

    /// <summary>The memory.</summary>
    public MappedRegion Region { get; }

    /// <summary>Where the next frame goes.</summary>
    internal int Next { get; set; }

    internal byte* Start => Region.Start;

    /// <summary>What a frame takes with the head-room of the next.</summary>
    public static int SpaceFor(int frameBytes) => ((frameBytes + LineBytes - 1) & -LineBytes) + HeadroomBytes;

    /// <summary>Forgets all frames.</summary>
    public void Clear() => Next = HeadroomBytes;

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => Region.Dispose();
}
