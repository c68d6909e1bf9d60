using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Xdp;

namespace Dataplane.Native;

/// <summary>One of the four rings that an AF_XDP socket shares with the kernel: a power of two of entries, and two counters that only grow.</summary>
/// <remarks>The side that fills owns the producer's counter, the other the consumer's; each keeps a copy of the other's and looks again only when it must.</remarks>
internal unsafe struct XdpRing
{
    private uint* _producer;
    private uint* _consumer;
    private uint* _flags;
    private void* _entries;
    private uint _mask;
    private uint _here;      // our counter; what the kernel sees of it is what was published
    private uint _there;     // the kernel's, as last seen

    /// <summary>Number of entries.</summary>
    internal readonly uint Size => _mask + 1;

    /// <summary>Whether the kernel wants to be called before it works on the ring.</summary>
    internal readonly bool NeedsWakeup => (Volatile.Read(ref *_flags) & XDP_RING_NEED_WAKEUP) != 0;

    /// <summary>Looks at a mapped ring.</summary>
    internal static XdpRing At(byte* start, in xdp_ring_offset offsets, int entries) => new()
    {
        _producer = (uint*)(start + offsets.producer),
        _consumer = (uint*)(start + offsets.consumer),
        _flags = (uint*)(start + offsets.flags),
        _entries = start + offsets.desc,
        _mask = (uint)entries - 1,
    };

    /// <summary>Entries that can be written now, at least <paramref name="wanted"/> if there are so many.</summary>
    internal uint FreeEntries(uint wanted)
    {
        uint free = Size - (_here - _there);
        if (free < wanted)
        {
            // Acquire: the kernel has read the entries before it says that they are free. Pairs with its release in __xskq_cons_release.
            _there = Volatile.Read(ref *_consumer);
            free = Size - (_here - _there);
        }

        return free;
    }

    /// <summary>Entries that can be read now.</summary>
    internal uint FilledEntries()
    {
        uint filled = _there - _here;
        if (filled == 0)
        {
            // Acquire: entries and frames are read after the kernel has published them. Pairs with its release in __xskq_prod_submit.
            _there = Volatile.Read(ref *_producer);
            filled = _there - _here;
        }

        return filled;
    }

    /// <summary>Writes an address; the ring has a free entry.</summary>
    internal void PutAddress(ulong address) => ((ulong*)_entries)[_here++ & _mask] = address;

    /// <summary>Writes a frame; the ring has a free entry.</summary>
    internal void PutFrame(ulong address, uint length, uint options = 0) =>
        ((xdp_desc*)_entries)[_here++ & _mask] = new xdp_desc { addr = address, len = length, options = options };

    /// <summary>Reads an address; the ring has a filled entry.</summary>
    internal ulong TakeAddress() => ((ulong*)_entries)[_here++ & _mask];

    /// <summary>Reads a frame; the ring has a filled entry.</summary>
    internal xdp_desc TakeFrame() => ((xdp_desc*)_entries)[_here++ & _mask];

    /// <summary>Release: what was written is complete before the kernel sees it. Pairs with its acquire in __xskq_cons_peek.</summary>
    internal readonly void PublishFilled() => Volatile.Write(ref *_producer, _here);

    /// <summary>Release: what was read is no longer needed when the kernel sees it. Pairs with its acquire in xskq_prod_nb_free.</summary>
    internal readonly void PublishTaken() => Volatile.Write(ref *_consumer, _here);

    /// <summary>Entries that were written and that the kernel has not taken.</summary>
    internal uint Unread()
    {
        _there = Volatile.Read(ref *_consumer);
        return _here - _there;
    }
}
