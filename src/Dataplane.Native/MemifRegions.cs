using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>The regions of one memif connection by number, at most sixteen; they live as long as the rings that lie in them.</summary>
internal sealed unsafe class MemifRegions : IDisposable
{
    /// <summary>Most regions of a connection.</summary>
    internal const int MaxCount = 16;

    private const int LeastRingOrder = 1;

    private readonly SharedRegion?[] _regions = new SharedRegion?[MaxCount];

    // Pinned, so that the rings read the table by pointer; entries past the count are empty regions, which nothing lies in.
    private readonly Extent[] _table = GC.AllocateArray<Extent>(MaxCount, pinned: true);

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>The table, <see cref="MaxCount"/> entries.</summary>
    internal Extent* Table => (Extent*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(_table, 0);

    /// <summary>A region by number.</summary>
    public SharedRegion this[int index] => _regions[index]!;

    /// <summary>Adds the region with the next number, and owns it from then on.</summary>
    public void Add(SharedRegion region)
    {
        _regions[Count] = region;
        _table[Count] = new Extent { Start = region.Start, Length = (uint)region.LengthBytes };
        TotalBytes += region.LengthBytes;
        Count++;
    }

    /// <summary>Whether a ring of 2^order descriptors lies inside a region, aligned so that indices and descriptors do not straddle lines.</summary>
    public bool HoldsRing(int region, uint offset, int order, int maxOrder) =>
        region < Count && order >= LeastRingOrder && order <= maxOrder && offset % (uint)sizeof(memif_desc) == 0
        && offset + (ulong)RingBytes(order) <= (ulong)_regions[region]!.LengthBytes;

    /// <summary>Bytes of a ring of 2^order descriptors with its head.</summary>
    public static int RingBytes(int order) => sizeof(memif_ring) + (sizeof(memif_desc) << order);

    /// <summary>Unmaps all.</summary>
    public void Dispose()
    {
        for (int i = 0; i < Count; i++)
            _regions[i]!.Dispose();
        Count = 0;
    }

    /// <summary>Where a region lies.</summary>
    internal struct Extent
    {
        public byte* Start;
        public ulong Length;
    }
}
