using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Where one ring lies, and, on the client's side, the buffers that belong to it.</summary>
/// <remarks>
/// The client chooses where buffers lie. Here each begins one cache line further than a power of two behind the one before, so that
/// the first lines of the frames in a ring spread over all sets of a cache. At the usual distance of 2,048 bytes they fall into one set
/// of 32, and 1,024 of them do not stay in a second-level cache of 2 MB together, on either side.
/// </remarks>
internal sealed unsafe class MemifRing
{
    private MemifRing(MemifRegions regions, byte* start, int order, bool isClient, int firstBuffer, int bufferBytes)
    {
        Regions = regions;
        Head = (memif_ring*)start;
        Descriptors = (memif_desc*)(Head + 1);
        Order = order;
        IsClient = isClient;
        FirstBuffer = firstBuffer;
        BufferBytes = bufferBytes;
        Stride = StrideFor(bufferBytes);
    }

    /// <summary>The regions that descriptors point into.</summary>
    public MemifRegions Regions { get; }

    /// <summary>Log2 of the number of descriptors.</summary>
    public int Order { get; }

    /// <summary>Whether this side made the ring and owns its buffers.</summary>
    public bool IsClient { get; }

    /// <summary>Offset in region 0 of the client's first buffer.</summary>
    public int FirstBuffer { get; }

    /// <summary>Bytes of each of the client's buffers.</summary>
    public int BufferBytes { get; }

    /// <summary>Distance of the client's buffers.</summary>
    public int Stride { get; }

    internal memif_ring* Head { get; }

    internal memif_desc* Descriptors { get; }

    /// <summary>Distance between buffers: an odd number of cache lines.</summary>
    public static int StrideFor(int bufferBytes) => (((bufferBytes + 63) / 64) | 1) * 64;

    /// <summary>Bytes of a ring and its buffers.</summary>
    public static long BytesFor(int order, int bufferBytes) => MemifRegions.RingBytes(order) + ((long)StrideFor(bufferBytes) << order);

    /// <summary>A ring that the peer has made; its place was checked with <see cref="MemifRegions.HoldsRing"/>.</summary>
    /// <returns>Null when the ring does not begin with the cookie.</returns>
    public static MemifRing? Adopt(MemifRegions regions, int region, uint offset, int order)
    {
        var ring = new MemifRing(regions, regions[region].Start + offset, order, isClient: false, 0, 0);
        if (Volatile.Read(ref ring.Head->cookie) != Memif.MEMIF_COOKIE)
            return null;

        // Both sides begin at 0, whatever an earlier connection left there (as libmemif and DPDK do).
        Volatile.Write(ref ring.Head->head, 0);
        Volatile.Write(ref ring.Head->tail, 0);
        return ring;
    }

    /// <summary>Makes a ring in region 0, with its buffers behind <paramref name="firstBuffer"/>.</summary>
    public static MemifRing Create(MemifRegions regions, int offset, int order, int firstBuffer, int bufferBytes)
    {
        var ring = new MemifRing(regions, regions[0].Start + offset, order, isClient: true, firstBuffer, bufferBytes);
        *ring.Head = new memif_ring { cookie = Memif.MEMIF_COOKIE };
        for (int slot = 0; slot < 1 << order; slot++)
            ring.Descriptors[slot] = new memif_desc { length = (uint)bufferBytes, offset = (uint)(firstBuffer + (slot * ring.Stride)) };
        return ring;
    }
}
