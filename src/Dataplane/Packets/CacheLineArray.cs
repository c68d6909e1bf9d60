using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Packets;

/// <summary>A zeroed array whose element <see cref="Start"/> lies at the beginning of a cache line.</summary>
/// <remarks>
/// Arrays of the runtime begin anywhere on 8 bytes, so a 64-byte vector taken from one nearly always crosses two lines and costs
/// two loads. The array is pinned: it is never moved, and what is aligned once stays so. Meant for tables that are built
/// once and read very often.
/// </remarks>
internal readonly struct CacheLineArray<T>
    where T : unmanaged
{
    /// <summary>Bytes of a cache line, and of the widest vector.</summary>
    public const int LineBytes = 64;

    /// <summary>Makes an array with room for <paramref name="count"/> elements from <see cref="Start"/> on.</summary>
    /// <param name="count">Elements, 0 or more.</param>
    public CacheLineArray(int count)
    {
        int elementBytes = LineBytes / Vector512<T>.Count;
        Elements = GC.AllocateArray<T>(count + (LineBytes / elementBytes), pinned: true);
        long misaligned = (long)Marshal.UnsafeAddrOfPinnedArrayElement(Elements, 0) & (LineBytes - 1);
        Start = (int)((LineBytes - misaligned) & (LineBytes - 1)) / elementBytes;
    }

    /// <summary>The array; elements before <see cref="Start"/> are padding.</summary>
    public T[] Elements { get; }

    /// <summary>Index of the first element on a cache line boundary.</summary>
    public int Start { get; }
}
