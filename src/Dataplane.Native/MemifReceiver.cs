using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>The receiving end of a memif ring: copies frames out of the shared memory, once, and gives the buffers back at once.</summary>
/// <remarks>
/// <para>The peer may write to the shared memory at any time, also while and after a frame is read. So each descriptor is read once, into
/// registers, and what was read is checked, not what lies there; and frames are copied before anything looks at them: a stage that judged
/// addresses in place could be shown other ones than those that leave. The copy costs the line of the frame, which is needed anyway, and
/// a line of an arena that stays in the first-level cache; it saves the peer from getting lines back that we have written to.</para>
/// <para>A descriptor that points outside its region is passed over and counted. An index that cannot be ends the use of the ring: see <see cref="Fault"/>.</para>
/// <para>Acquire and release. Reading the sender's index (tail of a ring of ours, head of the peer's) acquires the descriptors and bytes that
/// the sender wrote before; writing our own releases the buffers after the last read of them.</para>
/// </remarks>
internal sealed unsafe class MemifReceiver
{
    private const uint Next = Memif.MEMIF_DESC_FLAG_NEXT;

    /// <summary>Descriptors ahead whose frames are asked for: the line was written by another processor and takes some 100 ns to come.</summary>
    private const uint FramesAhead = 8;

    private readonly MemifRing _place;
    private readonly memif_ring* _ring;
    private readonly memif_desc* _descriptors;
    private readonly MemifRegions.Extent* _regions;
    private readonly uint _size;
    private readonly uint _mask;
    private readonly bool _isClient;
    private readonly int _maxFrameBytes;
    private ushort _taken;
    private ushort _returned;
    private ushort _seen;
    private int _malformed;
    private bool _isMasked;
    private bool _skipping;

    /// <summary>Makes the receiving end; <see cref="Start"/> begins.</summary>
    public MemifReceiver(MemifRing ring, PeerEvent interrupt, int maxFrameBytes)
    {
        _place = ring;
        _ring = ring.Head;
        _descriptors = ring.Descriptors;
        _regions = ring.Regions.Table;
        _size = 1u << ring.Order;
        _mask = _size - 1;
        _isClient = ring.IsClient;
        _maxFrameBytes = maxFrameBytes;
        Interrupt = interrupt;
    }

    /// <summary>The event that the sender signals unless we ask it not to.</summary>
    public PeerEvent Interrupt { get; }

    /// <summary>What the peer did to the ring; other than none, nothing more is received.</summary>
    public MemifFault Fault { get; private set; }

    /// <summary>Whether there is a fault, or a frame was passed over.</summary>
    public bool HasTrouble => _malformed > 0 || Fault != MemifFault.None;

    /// <summary>Frames passed over since the last call: descriptor outside its region, empty, or longer than the port takes.</summary>
    public int TakeMalformed()
    {
        int count = _malformed;
        _malformed = 0;
        return count;
    }

    /// <summary>Begins: lends all buffers, and asks for interrupts until frames come.</summary>
    public void Start()
    {
        Volatile.Write(ref _ring->flags, 0);
        if (_isClient)
            Volatile.Write(ref _ring->head, (ushort)_size);
    }

    /// <summary>Copies waiting frames out.</summary>
    /// <param name="arena">Where to.</param>
    /// <param name="offsets">Takes the offset of each frame in the arena.</param>
    /// <param name="lengths">Takes the length of each.</param>
    /// <returns>How many there were, the length of the shorter span at most.</returns>
    public int Receive(MemifArena arena, Span<int> offsets, Span<int> lengths)
    {
        int room = Math.Min(offsets.Length, lengths.Length);
        uint waiting = (ushort)(_seen - _taken);
        if (waiting < (uint)room)
        {
            uint before = waiting;
            _seen = Volatile.Read(ref _isClient ? ref _ring->tail : ref _ring->head);
            waiting = (ushort)(_seen - _taken);
            if (waiting == 0)
                return 0;
            if (waiting > _size || waiting < before || Fault != MemifFault.None)
            {
                Fault = MemifFault.IndexOutOfRing;
                _seen = _taken;
                return 0;
            }
        }

        ushort taken = _taken;
        int count = Copy(arena, offsets[..room], lengths[..room], waiting);
        if (_taken != taken)
            HandBack();
        if (_isMasked || count == 0)
            return count;
        _isMasked = true;
        Volatile.Write(ref _ring->flags, Memif.MEMIF_RING_FLAG_MASK_INT);
        Interrupt.Drain();
        return count;
    }

    /// <summary>Asks for an interrupt when frames come. Look at the ring once more afterwards, then sleep.</summary>
    public void PrepareSleep()
    {
        Interrupt.Drain();
        _isMasked = false;
        Volatile.Write(ref _ring->flags, 0);
        // The sender publishes frames, then reads the flag; we write the flag, then look for frames: one of the two sees the other.
        Interlocked.MemoryBarrier();
    }

    private int Copy(MemifArena arena, Span<int> offsets, Span<int> lengths, uint waiting)
    {
        byte* memory = arena.Start;
        int at = arena.Next, count = 0;
        uint slot = _taken;
        for (; count < offsets.Length && waiting > 0; slot++, waiting--)
        {
            memif_desc* descriptor = _descriptors + (slot & _mask);
            // Read once. What is checked below is what was read, whatever the peer writes there meanwhile.
            ulong low = Volatile.Read(ref *(ulong*)descriptor);
            uint offset = Volatile.Read(ref descriptor->offset), length = (uint)(low >> 32), region = (uint)(low >> 16) & 0xFFFF;
            if (Sse.IsSupported)
                Sse.Prefetch0(FrameAhead(slot));
            if (region < MemifRegions.MaxCount && (low & Next) == 0 && length - 1 < MemifArena.LineBytes
                && offset + (ulong)MemifArena.LineBytes <= _regions[region].Length && !_skipping)
            {
                Vector512.Load(_regions[region].Start + offset).Store(memory + at);
            }
            else
            {
                int used = CopySlow(slot, waiting, memory + at, out int copied);
                if (used == 0)
                    break;
                slot += (uint)used - 1;
                waiting -= (uint)used - 1;
                if (copied == 0)
                    continue;
                length = (uint)copied;
            }

            offsets[count] = at;
            lengths[count++] = (int)length;
            at += MemifArena.SpaceFor((int)length);
        }

        arena.Next = at;
        _taken = (ushort)slot;
        return count;
    }

    /// <summary>Address of the frame of a descriptor to come. Only asked for, never read: it need not be checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* FrameAhead(uint slot)
    {
        memif_desc* descriptor = _descriptors + ((slot + FramesAhead) & _mask);
        return _regions[descriptor->region & (MemifRegions.MaxCount - 1)].Start + descriptor->offset;
    }

    /// <summary>Copies a frame that is long, in several buffers, close to the end of its region, or malformed.</summary>
    /// <param name="slot">Its first descriptor.</param>
    /// <param name="waiting">Descriptors that wait.</param>
    /// <param name="to">Where to; there is room for the longest frame and a line more.</param>
    /// <param name="copied">Length of the frame; 0: it was passed over.</param>
    /// <returns>How many descriptors it took; 0 when its end has not come yet.</returns>
    private int CopySlow(uint slot, uint waiting, byte* to, out int copied)
    {
        uint used = 0, total = 0;
        bool isValid = !_skipping;
        ulong low;
        do
        {
            if (used == waiting)
            {
                // The rest has not come. In a full ring it never will: the sender has no buffer left to put it in.
                copied = 0;
                _skipping |= waiting == _size;
                return _skipping ? (int)used : 0;
            }

            memif_desc* descriptor = _descriptors + ((slot + used++) & _mask);
            low = Volatile.Read(ref *(ulong*)descriptor);
            uint offset = Volatile.Read(ref descriptor->offset), length = (uint)(low >> 32), region = (uint)(low >> 16) & 0xFFFF;
            isValid = isValid && region < MemifRegions.MaxCount && offset + (ulong)length <= _regions[region].Length
                && length <= (uint)_maxFrameBytes - total;
            if (isValid)
            {
                Buffer.MemoryCopy(_regions[region].Start + offset, to + total, length, length);
                total += length;
            }
        }
        while ((low & Next) != 0);

        _skipping = false;
        copied = isValid ? (int)total : 0;
        if (copied == 0)
            _malformed++;
        return (int)used;
    }

    private void HandBack()
    {
        if (!_isClient)
        {
            Volatile.Write(ref _ring->tail, _taken);
            return;
        }

        // The sender has written length and flags; all of it is written anew, so that no lie of the peer's stays behind.
        ushort posted = (ushort)(_taken + _size);
        ulong low = (ulong)(uint)_place.BufferBytes << 32;
        int first = _place.FirstBuffer, stride = _place.Stride;
        for (ushort slot = _returned; slot != _taken; slot++)
        {
            uint index = slot & _mask;
            *(ulong*)(_descriptors + index) = low;
            _descriptors[index].offset = (uint)(first + ((int)index * stride));
        }

        _returned = _taken;
        Volatile.Write(ref _ring->head, posted);
    }
}
