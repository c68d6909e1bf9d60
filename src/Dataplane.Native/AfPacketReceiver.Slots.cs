// syscalls: recvfrom
using System.Runtime.Intrinsics.X86;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;
using static Dataplane.Native.Abi.VirtioNet;

namespace Dataplane.Native;

// The walk over the slots of a TPACKET_V2 ring.
public sealed unsafe partial class AfPacketReceiver
{
    /// <summary>Where the kernel places a frame in its slot at the least.</summary>
    /// <remarks>Its two headers and the least MAC header (32 + 20 + 16, rounded up to 16), then the offload header, less the MAC header.</remarks>
    private const int SmallestSlotOffset = 80 + 10 - ETH_HLEN;

    private const int CacheLineBytes = 64;

    /// <summary>Longer frames are fetched one by one, as super-frames are.</summary>
    private const int LongestSlotBytes = 16 << 10;

    /// <summary>Memory behind the arena for the one super-frame that is being cut.</summary>
    internal const int FetchBytes = 68 << 10;

    /// <summary>Two VLAN tags may stand in a frame without counting for its MTU.</summary>
    private const int LinkHeaderBytes = ETH_HLEN + (2 * VlanTagBytes);

    /// <summary>Longest frame that is fetched by a call of its own: an IP packet of the greatest length, link header and tags.</summary>
    private const int LongestFetched = (64 << 10) + LinkHeaderBytes;

    /// <summary>Bits of <see cref="Position"/> that hold the slot's number; above them stands the slots' size in cache lines.</summary>
    private const int SlotNumberBits = 20;

    private int _slotBytes;       // 0 where the ring has blocks
    private int _slotCount;
    private int _slotNumber;      // of the slot to look at next
    private long _nextSlot;       // where it begins in the ring
    private long _oldestSlot;     // the first slot not given back
    private int _heldSlots;       // slots listed and not given back
    private long _cut;            // frames longer than a slot that the kernel had no memory to keep whole

    /// <summary>Size of a slot for packets of a length: as small as can be, and an odd number of cache lines, so that the frames' first lines do not all fall into the same few sets of the cache.</summary>
    internal static int SlotBytesFor(int mtuBytes, int headroomBytes)
    {
        int bytes = SmallestSlotOffset + (int)ReserveFor(headroomBytes, SmallestSlotOffset) + LinkHeaderBytes + mtuBytes;
        int lines = (bytes + CacheLineBytes - 1) / CacheLineBytes;
        return Math.Min(lines | 1, LongestSlotBytes / CacheLineBytes) * CacheLineBytes;
    }

    private static void SetUpSlots(FileDescriptor socket, NetworkInterfaceInfo info, AfPacketReceiveOptions options)
    {
        PacketSocket.Set(socket, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION", info.Name);
        PacketSocket.Set(socket, PACKET_RESERVE, ReserveFor(options.HeadroomBytes, SmallestSlotOffset), "PACKET_RESERVE", info.Name);
        PacketSocket.Set(socket, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR", info.Name);
        // Frames that are longer than a slot are kept whole in the socket's queue, as many as its buffer holds.
        PacketSocket.Set(socket, PACKET_COPY_THRESH, 1, "PACKET_COPY_THRESH", info.Name);
        int ringBytes = options.BlockBytes * options.BlockCount;
        PacketSocket.SetReceiveBuffer(socket, ringBytes);
        int slotBytes = SlotBytesFor(info.MtuBytes, options.HeadroomBytes);
        var shape = new tpacket_req
        {
            tp_block_size = (uint)options.BlockBytes,
            tp_block_nr = (uint)options.BlockCount,
            tp_frame_size = (uint)slotBytes,
            tp_frame_nr = (uint)(options.BlockBytes / slotBytes * options.BlockCount),
        };
        PacketSocket.Set(socket, PACKET_RX_RING, shape, "PACKET_RX_RING", info.Name);
    }

    private void UseSlots(int slotBytes)
    {
        _slotBytes = slotBytes;
        _slotCount = _blockBytes / slotBytes * _blockCount;
    }

    private void GoToSlot(int number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, _slotCount);
        int inBlock = _blockBytes / _slotBytes;
        _slotNumber = number;
        _nextSlot = _oldestSlot = ((long)(number / inBlock) * _blockBytes) + (number % inBlock * _slotBytes);
    }

    private long FollowingSlot(long slot)
    {
        long next = slot + _slotBytes;
        // What is left of a block behind its last slot is not used.
        if ((next & (_blockBytes - 1)) + _slotBytes > _blockBytes || (next & (_blockBytes - 1)) == 0)
            next = (slot | (uint)(_blockBytes - 1)) + 1;
        return next == (long)_blockBytes * _blockCount ? 0 : next;
    }

    /// <summary>Lists frames until there are no more, the room is used up, or a super-frame is to be cut.</summary>
    private int ListSlots(Span<int> offsets, Span<int> lengths, int count, int room)
    {
        if (IsPaused)
            return count;
        int ringOffset = (int)(_ring - Region.Start);
        long end = (long)_blockBytes * _blockCount;
        long bytes = 0;
        while (count < room && _heldSlots < _slotCount)
        {
            byte* slot = _ring + _nextSlot;
            var header = (tpacket2_hdr*)slot;
            // Acquire: the frame is read after the kernel has handed it over. Pairs with the store in the kernel's __packet_set_status.
            uint status = Volatile.Read(ref header->tp_status);
            if ((status & TP_STATUS_USER) == 0)
                break;
            PrefetchFrom(_ring + Math.Min(_nextSlot + ((long)_slotBytes * FramesAhead), end - 1), SmallestSlotOffset);
            uint captured = header->tp_snaplen;
            uint start = header->tp_mac;
            if (start < SmallestSlotOffset || captured > (uint)_slotBytes || start > (uint)_slotBytes - captured)
            {
                _malformed++;
                PassSlot();
                continue;
            }

            var offload = (virtio_net_hdr*)(slot + start - sizeof(virtio_net_hdr));
            uint unfinished = (uint)(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) | offload->gso_type;
            uint special = unfinished | (status & TP_STATUS_VLAN_VALID) | (captured ^ header->tp_len);
            int offset = ringOffset + (int)_nextSlot + (int)start;
            int length = (int)captured;
            if (special != 0)
            {
                var head = new FrameHead(status, header->tp_len, header->tp_vlan_tci, header->tp_vlan_tpid);
                if (captured != head.WireBytes)
                {
                    if (!TryFetch(head, ref offload, out offset, out length))
                        break;
                }

                PassSlot();
                length = length == 0 ? 0 : Normalise(head, offload, ref offset, length, count);
                if (_superFrame.IsPending)
                    break;
                if (length == 0)
                    continue;
            }
            else
            {
                PassSlot();
            }

            offsets[count] = offset;
            lengths[count] = length;
            bytes += length;
            count++;
        }

        _bytes += bytes;
        return count;
    }

    private void PassSlot()
    {
        _nextSlot = FollowingSlot(_nextSlot);
        _slotNumber = _slotNumber + 1 == _slotCount ? 0 : _slotNumber + 1;
        _heldSlots++;
    }

    private void ReleaseSlots(int kept)
    {
        while (_heldSlots > kept)
        {
            var header = (tpacket2_hdr*)(_ring + _oldestSlot);
            // Release: whatever we read or wrote in the slot is done before the kernel sees that it is free. Pairs with the
            // kernel's read in __packet_get_status.
            Volatile.Write(ref header->tp_status, TP_STATUS_KERNEL);
            _oldestSlot = FollowingSlot(_oldestSlot);
            _heldSlots--;
        }
    }

    /// <summary>Fetches a frame that is longer than its slot from the socket's queue, where the kernel keeps those in the order of their slots.</summary>
    /// <remarks>A frame that is to be cut lies behind the arena, which takes its segments, until the last of them is listed; others in the arena itself.</remarks>
    /// <param name="head">What the ring says of the frame.</param>
    /// <param name="offload">The offload header in the slot; afterwards the one in front of the whole frame.</param>
    /// <param name="offset">Takes where the frame lies in the region.</param>
    /// <param name="length">Takes its length; 0 when it is not to be listed, and was counted.</param>
    /// <returns>False when the arena has no room for it before the next release; then it stays where it is.</returns>
    private bool TryFetch(FrameHead head, ref virtio_net_hdr* offload, out int offset, out int length)
    {
        offset = length = 0;
        if ((head.Status & TP_STATUS_COPY) == 0)
        {
            _cut++;
            return true;
        }

        bool isCut = offload->gso_type != VIRTIO_NET_HDR_GSO_NONE && !IsKept(*offload);
        if (!isCut && SlotFor(LongestFetched + VlanTagBytes) > _arenaBytes - _arenaNext)
            return false;

        // The tag that may have to be put back must leave the head-room whole; two bytes more put the IP header on a multiple of four.
        int start = (isCut ? _arenaBytes : _arenaNext) + _headroomBytes + VlanTagBytes + 2 - sizeof(virtio_net_hdr);
        byte* target = Region.Start + start;
        nint received = Libc.Recvfrom(_socket.Number, target, (nuint)(LongestFetched + sizeof(virtio_net_hdr)), Socket.MSG_DONTWAIT | Socket.MSG_TRUNC, null, null);
        if (received != (nint)(head.WireBytes + (uint)sizeof(virtio_net_hdr)) || head.WireBytes > LongestFetched)
        {
            _oversized++;
            return true;
        }

        var whole = (virtio_net_hdr*)target;
        if (whole->gso_type != offload->gso_type || ((whole->flags ^ offload->flags) & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
        {
            // Not the frame of this slot: it would lie where another may.
            _malformed++;
            return true;
        }

        offload = whole;
        offset = start + sizeof(virtio_net_hdr);
        length = (int)head.WireBytes;
        _arenaNext += isCut ? 0 : SlotFor(length + VlanTagBytes);
        return true;
    }
}
