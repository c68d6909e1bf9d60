using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;

namespace Dataplane.Native;

// The slots: filling, taking back, and what the kernel has said about them.
public sealed unsafe partial class AfPacketTransmitter
{
    private const int VlanTagBytes = 4;

    /// <summary>Where a frame lies in its slot: TPACKET2_HDRLEN less the address that only receiving has (32 bytes), then the offload header.</summary>
    private const int OffloadOffset = 32;
    private const int OffloadBytes = 10;
    private const int FrameOffset = OffloadOffset + OffloadBytes;

    /// <summary>A frame up to this length is copied by the kernel as a whole; of a longer one only the headers, for memory in one piece gets scarce.</summary>
    private const int LongestCopied = 3072;
    private const int HeadersCopied = 256;

    private int _reservedBytes;

    /// <summary>Gives the next free slot. Asking again before <see cref="Submit"/> gives the same one.</summary>
    /// <param name="lengthBytes">Length of the frame, 14 to <see cref="MaxFrameBytes"/>.</param>
    /// <param name="frame">Where to write it; what the slot held before is still in it.</param>
    /// <returns>False when no slot is free or the length is outside its range.</returns>
    public bool TryReserve(int lengthBytes, out Span<byte> frame)
    {
        if (_ring is null || lengthBytes < ETH_HLEN || lengthBytes > MaxFrameBytes)
        {
            frame = default;
            return false;
        }

        byte* slot = _ring + _slots[_head];
        // Acquire: the kernel has done with the slot's bytes before it says that it is free. Pairs with its barrier in __packet_set_status.
        if (Volatile.Read(ref ((tpacket2_hdr*)slot)->tp_status) != TP_STATUS_AVAILABLE)
        {
            _ringFull++;
            frame = default;
            return false;
        }

        _reservedBytes = lengthBytes;
        frame = new Span<byte>(slot + FrameOffset, lengthBytes);
        return true;
    }

    /// <summary>Marks the reserved slot to be sent by the next <see cref="Kick"/>. Does nothing when no slot is reserved.</summary>
    public void Submit() => SubmitUnfinished(default);

    /// <summary>The same, for a frame of which something is left to the kernel.</summary>
    internal void SubmitUnfinished(virtio_net_hdr offload)
    {
        int length = _reservedBytes;
        if (length == 0 || _ring is null)
            return;
        _reservedBytes = 0;
        byte* slot = _ring + _slots[_head];
        var header = (tpacket2_hdr*)slot;
        offload.hdr_len = (ushort)(length <= LongestCopied ? length : HeadersCopied);
        *(virtio_net_hdr*)(slot + OffloadOffset) = offload;
        header->tp_len = (uint)(length + OffloadBytes);
        // Release: the frame is complete before the kernel may see the mark.
        Volatile.Write(ref header->tp_status, TP_STATUS_SEND_REQUEST);
        _head = Following(_head);
        _pending++;
        _pendingBytes += length;
        _submittedFrames++;
        _submittedBytes += length;
    }

    /// <summary>Takes every frame that the kernel has not taken back out of the ring, for instance because the link is down.</summary>
    /// <returns>How many there were.</returns>
    public int Withdraw()
    {
        if (_ring is null)
            return 0;
        TakeSent();
        int count = _pending;
        for (int slot = _tail; _pending > 0; slot = Following(slot), _pending--)
            SetStatus(slot, TP_STATUS_AVAILABLE);

        // The kernel waits at the tail, so that is where filling must go on.
        _head = _tail;
        _pendingBytes = 0;
        _reservedBytes = 0;
        _withdrawn += count;
        return count;
    }

    /// <summary>The offload header of the frame submitted last, for tests that spoil it.</summary>
    internal Span<byte> LastOffloadHeader => new(_ring + _slots[_head == 0 ? _slots.Length - 1 : _head - 1] + OffloadOffset, OffloadBytes);

    private int Following(int slot) => slot + 1 == _slots.Length ? 0 : slot + 1;

    private uint StatusOf(int slot) => Volatile.Read(ref ((tpacket2_hdr*)(_ring + _slots[slot]))->tp_status);

    private void SetStatus(int slot, uint status) => Volatile.Write(ref ((tpacket2_hdr*)(_ring + _slots[slot]))->tp_status, status);

    private int LengthOf(int slot) => (int)((tpacket2_hdr*)(_ring + _slots[slot]))->tp_len - OffloadBytes;

    private void TakeAll()
    {
        _sent += _pending;
        _tail = _head;
        _pending = 0;
        _pendingBytes = 0;
    }

    /// <summary>Finds how far the kernel got: it has taken each slot, in order, that no longer asks to be sent.</summary>
    private void TakeSent()
    {
        while (_pending > 0 && StatusOf(_tail) is not (TP_STATUS_SEND_REQUEST or TP_STATUS_WRONG_FORMAT))
        {
            _pendingBytes -= LengthOf(_tail);
            _tail = Following(_tail);
            _pending--;
            _sent++;
        }

        if (_pending == 0)
            _pendingBytes = 0;
    }

    /// <summary>Takes the malformed frame at the tail out of the ring.</summary>
    /// <remarks>
    /// The kernel neither skips the slot nor goes past it, and PACKET_LOSS, which would make it skip, would lose the frame uncounted. So the
    /// frames behind it move up by one slot each. It costs a copy of all that is pending, for something that only a fault of ours brings about.
    /// </remarks>
    private void RemoveRejected()
    {
        _rejected++;
        _pendingBytes -= LengthOf(_tail);
        int slot = _tail;
        for (int left = _pending - 1; left > 0; left--)
        {
            int next = Following(slot);
            byte* source = _ring + _slots[next];
            byte* target = _ring + _slots[slot];
            int length = LengthOf(next);
            new ReadOnlySpan<byte>(source + OffloadOffset, OffloadBytes + length).CopyTo(new Span<byte>(target + OffloadOffset, OffloadBytes + length));
            ((tpacket2_hdr*)target)->tp_len = (uint)(length + OffloadBytes);
            SetStatus(slot, TP_STATUS_SEND_REQUEST);
            slot = next;
        }

        SetStatus(slot, TP_STATUS_AVAILABLE);
        _head = slot;
        _pending--;
        _reservedBytes = 0;
    }
}
