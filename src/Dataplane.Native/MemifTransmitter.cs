using System.Runtime.Intrinsics;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>The sending end of a memif ring: copies frames into the buffers of the ring and publishes them together.</summary>
/// <remarks>
/// On the client's side the buffers are ours and their places are computed, never read. On the server's side the peer lends them: each
/// descriptor is read once, and what was read is checked. Frames longer than a buffer go into several (chained descriptors).
/// Cost per small frame: the line of its buffer and a quarter line of descriptors, both last held by the peer.
/// Writing our index releases descriptors and bytes; reading the peer's acquires the buffers it is done with.
/// </remarks>
internal sealed unsafe class MemifTransmitter
{
    /// <summary>The smallest buffer of a peer that is used, in bytes: with less, a frame could take any number of buffers.</summary>
    internal const int LeastBufferBytes = 64;

    private readonly MemifRing _place;
    private readonly memif_ring* _ring;
    private readonly memif_desc* _descriptors;
    private readonly MemifRegions.Extent* _regions;
    private readonly uint _size;
    private readonly uint _mask;
    private readonly bool _isClient;
    private readonly int _maxFrameBytes;
    private ushort _next;
    private ushort _published;
    private ushort _limit;

    /// <summary>Makes the sending end.</summary>
    public MemifTransmitter(MemifRing ring, PeerEvent interrupt, int maxFrameBytes)
    {
        _place = ring;
        _ring = ring.Head;
        _descriptors = ring.Descriptors;
        _regions = ring.Regions.Table;
        _size = 1u << ring.Order;
        _mask = _size - 1;
        _isClient = ring.IsClient;
        _maxFrameBytes = maxFrameBytes;
        _limit = (ushort)(_isClient ? _size : 0);
        Interrupt = interrupt;
    }

    /// <summary>The event that wakes the peer.</summary>
    public PeerEvent Interrupt { get; }

    /// <summary>What the peer did to the ring; other than none, nothing more is sent.</summary>
    public MemifFault Fault { get; private set; }

    /// <summary>Copies frames into the ring in order, until it is full or one is longer than the port sends.</summary>
    /// <param name="memory">The memory the frames lie in.</param>
    /// <param name="offsets">Offset of each packet.</param>
    /// <param name="lengths">Length of each packet.</param>
    /// <param name="packets">Numbers of the packets.</param>
    /// <param name="bytes">Grows by the bytes of those copied.</param>
    /// <returns>How many were copied.</returns>
    public int Write(ReadOnlySpan<byte> memory, ReadOnlySpan<int> offsets, ReadOnlySpan<int> lengths, ReadOnlySpan<short> packets, ref long bytes)
    {
        uint free = (ushort)(_limit - _next);
        if (free < (uint)packets.Length && !TryRefresh(out free))
            return 0;
        int count = WriteRun(memory, offsets, lengths, packets, free, ref bytes);
        // A frame in several buffers may need more of them than were in sight.
        while (count < packets.Length && (free = (ushort)(_limit - _next)) < _size && TryRefresh(out uint now) && now > free)
        {
            int more = WriteRun(memory, offsets, lengths, packets[count..], now, ref bytes);
            if (more == 0)
                break;
            count += more;
        }

        return count;
    }

    /// <summary>Shows the peer everything written, and wakes it if it asked for that. One or two system calls when it sleeps, else none.</summary>
    public void Publish()
    {
        if (_published == _next)
            return;
        _published = _next;
        Volatile.Write(ref _isClient ? ref _ring->head : ref _ring->tail, _next);
        // The receiver writes its flag, then looks at the index; we write the index, then look at the flag.
        Interlocked.MemoryBarrier();
        if ((Volatile.Read(ref _ring->flags) & Memif.MEMIF_RING_FLAG_MASK_INT) == 0)
            Interrupt.Signal();
    }

    private int WriteRun(
        ReadOnlySpan<byte> memory, ReadOnlySpan<int> offsets, ReadOnlySpan<int> lengths, ReadOnlySpan<short> packets, uint free, ref long bytes)
    {
        int count = 0;
        long sum = 0;
        uint next = _next, end = next + free;
        fixed (byte* source = memory)
        {
            for (; count < packets.Length && next != end; count++)
            {
                int packet = packets[count], offset = offsets[packet], length = lengths[packet];
                if ((uint)(length - 1) >= (uint)_maxFrameBytes || (uint)offset + (ulong)(uint)length > (uint)memory.Length)
                    break;
                byte* target = BufferOf(next, out uint capacity);
                if (target is null)
                    break;
                if (length <= MemifArena.LineBytes && offset <= memory.Length - MemifArena.LineBytes)
                {
                    Vector512.Load(source + offset).Store(target);
                    Describe(next++, (uint)length, 0);
                }
                else
                {
                    uint used = WriteLong(source + offset, (uint)length, next, end, target, capacity);
                    if (used == 0)
                        break;
                    next += used;
                }

                sum += length;
            }
        }

        _next = (ushort)next;
        bytes += sum;
        return count;
    }

    private bool TryRefresh(out uint free)
    {
        free = 0;
        if (Fault != MemifFault.None)
            return false;
        uint before = (ushort)(_limit - _next);
        ushort index = Volatile.Read(ref _isClient ? ref _ring->tail : ref _ring->head);
        _limit = _isClient ? (ushort)(index + _size) : index;
        free = (ushort)(_limit - _next);
        if (free <= _size && free >= before)
            return true;
        Fault = MemifFault.IndexOutOfRing;
        _limit = _next;
        free = 0;
        return false;
    }

    /// <summary>The buffer of a slot, with room for a line at least; null when the peer lent none that can be used.</summary>
    private byte* BufferOf(uint slot, out uint capacity)
    {
        uint index = slot & _mask;
        if (_isClient)
        {
            capacity = (uint)_place.BufferBytes;
            return _regions[0].Start + _place.FirstBuffer + ((int)index * _place.Stride);
        }

        ulong low = Volatile.Read(ref *(ulong*)(_descriptors + index));
        uint offset = Volatile.Read(ref _descriptors[index].offset), region = (uint)(low >> 16) & 0xFFFF;
        capacity = (uint)(low >> 32);
        if (region < MemifRegions.MaxCount && capacity >= LeastBufferBytes && offset + (ulong)capacity <= _regions[region].Length)
            return _regions[region].Start + offset;
        Fault = MemifFault.BufferOutOfRegion;
        _limit = (ushort)slot;
        return null;
    }

    private void Describe(uint slot, uint length, ushort flags)
    {
        memif_desc* descriptor = _descriptors + (slot & _mask);
        if (_isClient)
        {
            // All of it, so that no lie of the peer's stays behind.
            *(ulong*)descriptor = ((ulong)length << 32) | flags;
            descriptor->offset = (uint)(_place.FirstBuffer + ((int)(slot & _mask) * _place.Stride));
            return;
        }

        descriptor->length = length;
        descriptor->flags = flags;
    }

    /// <summary>Copies one frame into as many buffers as it needs.</summary>
    /// <returns>How many; 0 when there are not enough, and nothing was sent then.</returns>
    private uint WriteLong(byte* source, uint length, uint first, uint end, byte* target, uint capacity)
    {
        uint slot = first, done = 0;
        while (true)
        {
            uint part = Math.Min(capacity, length - done);
            Buffer.MemoryCopy(source + done, target, part, part);
            done += part;
            Describe(slot++, part, done < length ? Memif.MEMIF_DESC_FLAG_NEXT : (ushort)0);
            if (done == length)
                return slot - first;
            target = slot == end ? null : BufferOf(slot, out capacity);
            if (target is null)
                return 0;
        }
    }
}
