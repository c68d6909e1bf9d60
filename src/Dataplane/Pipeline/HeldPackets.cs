using Dataplane.Packets;
using Dataplane.Reassembly;

namespace Dataplane.Pipeline;

/// <summary>Packets that wait for a neighbour: copies in a fixed store, chained per neighbour.</summary>
/// <remarks>Bounded twice: slots in all, and packets per neighbour. A released packet goes through the pipeline again from the flow table on,
/// as it came, so that whatever changed meanwhile applies to it. Used by one thread.</remarks>
internal sealed class HeldPackets
{
    /// <summary>Packets one neighbour may keep waiting (RFC 4861 7.2.2 asks for at least one).</summary>
    public const int MaxPerNeighbour = 16;

    private const int Headroom = 128;

    private readonly byte[] _slab;
    private readonly int _slotBytes;
    private readonly Slot[] _slots;
    private readonly int[] _takenSlots = new int[PacketBatch.Capacity];
    private int _taken;
    private int _freeFirst;
    private int _readyFirst = -1;
    private int _readyLast = -1;

    public HeldPackets(int slots, int maxPacketBytes)
    {
        _slotBytes = (Headroom + 18 + maxPacketBytes + 63) & ~63;
        _slab = GC.AllocateArray<byte>(slots * _slotBytes, pinned: true);
        _slots = new Slot[slots];
        for (int i = 0; i < slots; i++)
        {
            _slots[i].Next = i + 1 < slots ? i + 1 : -1;
        }
    }

    /// <summary>The store, which offsets of released packets count from.</summary>
    public Memory<byte> Memory => _slab;

    /// <summary>Packets waiting, those about to be released included.</summary>
    public int Count { get; private set; }

    /// <summary>True when packets are to be run through the pipeline again.</summary>
    public bool HasReady => _readyFirst >= 0;

    /// <summary>Copies a packet in behind the last of a chain.</summary>
    /// <param name="first">First of the chain.</param>
    /// <param name="last">Last of the chain.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="port">The port it came by.</param>
    /// <param name="marks">Its marks.</param>
    /// <param name="offload">What is left to finish in it, its transport header counted from the start of the frame; means nothing unless it is marked so.</param>
    /// <param name="followed">What it has from the first fragment of its datagram; means nothing unless it is marked so.</param>
    /// <returns>False when there is no room.</returns>
    public bool TryHold(ref int first, ref int last, ReadOnlySpan<byte> frame, ushort port, PacketMarks marks, in PacketOffload offload, in FollowedPacket followed)
    {
        int slot = _freeFirst;
        if (slot < 0 || frame.Length > _slotBytes - Headroom)
        {
            return false;
        }

        _freeFirst = _slots[slot].Next;
        frame.CopyTo(_slab.AsSpan((slot * _slotBytes) + Headroom));
        _slots[slot] = new Slot { Next = -1, Length = frame.Length, Port = port, Marks = marks, Offload = offload, Followed = followed };
        Append(ref first, ref last, slot, slot);
        Count++;
        return true;
    }

    /// <summary>Gives a chain of later fragments what the first of their datagram says; each knows how far into it it reaches.</summary>
    public void Follow(int first, in FollowedPacket followed)
    {
        for (int slot = first; slot >= 0; slot = _slots[slot].Next)
        {
            uint end = _slots[slot].Followed.End;
            _slots[slot].Followed = followed;
            _slots[slot].Followed.End += end;
            _slots[slot].Marks |= PacketMarks.Followed;
        }
    }

    /// <summary>What is held of a packet.</summary>
    /// <param name="slot">First of a chain.</param>
    /// <param name="frame">Its frame.</param>
    /// <param name="marks">Its marks.</param>
    /// <returns>What it has from the first fragment of its datagram.</returns>
    public ref FollowedPacket At(int slot, out Span<byte> frame, out PacketMarks marks)
    {
        frame = _slab.AsSpan((slot * _slotBytes) + Headroom, _slots[slot].Length);
        marks = _slots[slot].Marks;
        return ref _slots[slot].Followed;
    }

    /// <summary>Gives a held packet other marks.</summary>
    public void Mark(int slot, PacketMarks marks) => _slots[slot].Marks = marks;

    /// <summary>Puts a chain behind another.</summary>
    public void PutBehind(ref int first, ref int last, int chainFirst, int chainLast)
    {
        if (chainFirst >= 0)
        {
            Append(ref first, ref last, chainFirst, chainLast);
        }
    }

    /// <summary>Marks a whole chain as to be released.</summary>
    public void Release(ref int first, ref int last)
    {
        if (first >= 0)
        {
            Append(ref _readyFirst, ref _readyLast, first, last);
            first = last = -1;
        }
    }

    /// <summary>Takes the first packet of a chain out for being given up: its frame stays readable until the next packet is held.</summary>
    public bool TryDiscard(ref int first, ref int last, out Span<byte> frame, out ushort port, out PacketMarks marks)
    {
        if (first < 0)
        {
            frame = default;
            (port, marks) = (0, PacketMarks.None);
            return false;
        }

        int slot = first;
        (port, marks) = (_slots[slot].Port, _slots[slot].Marks);
        frame = _slab.AsSpan((slot * _slotBytes) + Headroom, _slots[slot].Length);
        first = _slots[slot].Next;
        if (first < 0)
        {
            last = -1;
        }

        Free(slot);
        return true;
    }

    /// <summary>Fills a batch with packets to be released that came by one port.</summary>
    /// <remarks>The slots stay taken until <see cref="FinishRelease"/>, so a packet that must wait again gets another one.</remarks>
    public void TakeReady(PacketBatch batch, long nowNs)
    {
        ushort port = _slots[_readyFirst].Port;
        batch.Clear(new Ports.PortId(port), nowNs);
        batch.SetMemory(_slab);
        while (_readyFirst >= 0 && _slots[_readyFirst].Port == port && batch.Count < PacketBatch.Capacity)
        {
            int slot = _readyFirst;
            batch.Add((slot * _slotBytes) + Headroom, _slots[slot].Length);
            int packet = batch.Count - 1;
            batch.Marks[packet] = _slots[slot].Marks | PacketMarks.Released;
            batch.Followed[packet] = _slots[slot].Followed;
            if ((batch.Marks[packet] & PacketMarks.Unfinished) != 0)
            {
                PacketOffload offload = _slots[slot].Offload;
                offload.TransportAt += batch.Offsets[packet];
                batch.SetOffload(packet, in offload);
            }

            _takenSlots[packet] = slot;
            _readyFirst = _slots[slot].Next;
        }

        _taken = batch.Count;
        if (_readyFirst < 0)
        {
            _readyLast = -1;
        }
    }

    /// <summary>Frees the slots of the batch that <see cref="TakeReady"/> filled.</summary>
    public void FinishRelease()
    {
        for (int i = 0; i < _taken; i++)
        {
            Free(_takenSlots[i]);
        }

        _taken = 0;
    }

    private void Append(ref int first, ref int last, int chainFirst, int chainLast)
    {
        if (first < 0)
        {
            first = chainFirst;
        }
        else
        {
            _slots[last].Next = chainFirst;
        }

        last = chainLast;
    }

    private void Free(int slot)
    {
        _slots[slot].Next = _freeFirst;
        _freeFirst = slot;
        Count--;
    }

    private struct Slot
    {
        public int Next;
        public int Length;
        public ushort Port;
        public PacketMarks Marks;
        public PacketOffload Offload;
        public FollowedPacket Followed;
    }
}
