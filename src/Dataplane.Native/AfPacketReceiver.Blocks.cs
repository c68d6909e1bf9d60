using System.Runtime.Intrinsics.X86;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;
using static Dataplane.Native.Abi.VirtioNet;

namespace Dataplane.Native;

// The walk over the blocks of a TPACKET_V3 ring and their frames.
public sealed unsafe partial class AfPacketReceiver
{
    /// <summary>Where the kernel places a frame in its slot at the least.</summary>
    /// <remarks>Its two headers and the least MAC header (48 + 20 + 16, rounded up to 16), then the offload header, less the MAC header.</remarks>
    private const int SmallestFrameOffset = 96 + 10 - ETH_HLEN;

    /// <summary>How far ahead frames are asked for: far enough for a line that another processor has written to come, near enough for it to stay.</summary>
    private const int FramesAhead = 6;

    private int _nextBlock;       // the block to open next
    private int _oldestBlock;     // the first block not given back
    private int _heldBlocks;      // blocks opened and not given back
    private int _blockOffset;     // where the open block begins in the region
    private int _cursor;          // next frame in the open block
    private int _blockEnd;        // end of the frames in the open block
    private int _remaining;       // frames not listed in the open block

    private static void SetUpBlocks(FileDescriptor socket, string interfaceName, AfPacketReceiveOptions options)
    {
        PacketSocket.Set(socket, PACKET_VERSION, TPACKET_V3, "PACKET_VERSION", interfaceName);
        PacketSocket.Set(socket, PACKET_RESERVE, ReserveFor(options.HeadroomBytes, SmallestFrameOffset), "PACKET_RESERVE", interfaceName);
        PacketSocket.Set(socket, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR", interfaceName);
        var shape = new tpacket_req3
        {
            tp_block_size = (uint)options.BlockBytes,
            tp_block_nr = (uint)options.BlockCount,
            // Frames have no fixed size in this version of the ring; the kernel only demands that the numbers agree.
            tp_frame_size = (uint)options.BlockBytes,
            tp_frame_nr = (uint)options.BlockCount,
            tp_retire_blk_tov = (uint)options.RetireTimeoutMs,
        };
        PacketSocket.Set(socket, PACKET_RX_RING, shape, "PACKET_RX_RING", interfaceName);
    }

    private int Following(int block) => block + 1 == _blockCount ? 0 : block + 1;

    private void ReleaseBlocks(int kept)
    {
        while (_heldBlocks > kept)
        {
            var block = (tpacket_block_desc*)(_ring + ((long)_oldestBlock * _blockBytes));
            // Release: whatever we read or wrote in the block is done before the kernel sees that it is free. Pairs with the
            // kernel's read of block_status in prb_dispatch_next_block.
            Volatile.Write(ref block->block_status, TP_STATUS_KERNEL);
            _oldestBlock = Following(_oldestBlock);
            _heldBlocks--;
        }
    }

    private bool TryOpenBlock()
    {
        // A held block still says that it is ours: without this we would list its frames again.
        if (_heldBlocks == _blockCount || IsPaused)
            return false;
        var block = (tpacket_block_desc*)(_ring + ((long)_nextBlock * _blockBytes));
        // Acquire: the frames are read after the kernel has handed them over. Pairs with the kernel's barrier in prb_close_block.
        if ((Volatile.Read(ref block->block_status) & TP_STATUS_USER) == 0)
            return false;

        uint frames = block->num_pkts;
        uint first = block->offset_to_first_pkt;
        uint end = block->blk_len;
        _blockOffset = (int)(_ring - Region.Start) + (_nextBlock * _blockBytes);
        _nextBlock = Following(_nextBlock);
        _heldBlocks++;
        if (end > (uint)_blockBytes || first < sizeof(tpacket_block_desc) || first > end || frames > (end - first) / SmallestFrameOffset)
        {
            _malformed++;
            frames = 0;
        }

        _remaining = (int)frames;
        _cursor = (int)first;
        _blockEnd = (int)end;
        return true;
    }

    /// <summary>Lists frames of the open block until it ends, the room does, or a super-frame is to be cut.</summary>
    private int ListFrames(Span<int> offsets, Span<int> lengths, int count, int room)
    {
        byte* block = Region.Start + _blockOffset;
        int cursor = _cursor;
        int remaining = _remaining;
        long bytes = 0;
        while (remaining > 0 && count < room)
        {
            int left = _blockEnd - cursor;
            if (left < SmallestFrameOffset)
            {
                _malformed++;
                remaining = 0;
                break;
            }

            var header = (tpacket3_hdr*)(block + cursor);
            // The last frame's slot ends where the block does; its header says 0.
            uint slot = remaining > 1 ? header->tp_next_offset : (uint)left;
            uint captured = header->tp_snaplen;
            uint start = header->tp_mac;
            if (slot > (uint)left || start < SmallestFrameOffset || captured > slot || start > slot - captured)
            {
                // The way to the next frame is not to be trusted either.
                _malformed++;
                remaining = 0;
                break;
            }

            var offload = (virtio_net_hdr*)(block + cursor + start - sizeof(virtio_net_hdr));
            uint unfinished = (uint)(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) | offload->gso_type;
            uint special = unfinished | (header->tp_status & TP_STATUS_VLAN_VALID) | (captured ^ header->tp_len);
            int offset = _blockOffset + cursor + (int)start;
            int length = (int)captured;
            cursor += (int)slot;
            remaining--;
            PrefetchFrom(block + Math.Min(cursor + ((long)slot * FramesAhead), _blockEnd - 1), start);
            if (special != 0)
            {
                var head = new FrameHead(header->tp_status, header->tp_len, (int)header->tp_vlan_tci, header->tp_vlan_tpid);
                length = Normalise(head, offload, ref offset, length, count);
                if (_superFrame.IsPending)
                    break;
                if (length == 0)
                    continue;
            }

            offsets[count] = offset;
            lengths[count] = length;
            bytes += length;
            count++;
        }

        _cursor = cursor;
        _remaining = remaining;
        _bytes += bytes;
        return count;
    }

    /// <summary>Asks for the header and the first bytes of a frame to come, if there is one where it would be when all slots were as long as this.</summary>
    /// <remarks>
    /// The processor that received the frames has them in its cache, and each header is found by way of the one before: without this the walk
    /// would wait for each in turn. A wrong guess costs nothing but the request; the address lies in the block.
    /// </remarks>
    private static void PrefetchFrom(byte* header, uint start)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(header);
            Sse.Prefetch0(header + start);
        }
    }
}
