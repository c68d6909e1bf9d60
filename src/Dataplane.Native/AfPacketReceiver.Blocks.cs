using System.Runtime.Intrinsics.X86;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;
using static Dataplane.Native.Abi.VirtioNet;

namespace Dataplane.Native;

// The walk over blocks and frames, and what turns a frame of the inside into one of the wire.
public sealed unsafe partial class AfPacketReceiver
{
    private const int VlanTagBytes = 4;
    private const int MacAddressesBytes = 12;

    /// <summary>Where the kernel places a frame in its slot at the least.</summary>
    /// <remarks>Its two headers and the least MAC header (48 + 20 + 16, rounded up to 16), then the offload header, less the MAC header.</remarks>
    private const int SmallestFrameOffset = 96 + 10 - ETH_HLEN;

    /// <summary>How far ahead frames are asked for: far enough for a line that another processor has written to come, near enough for it to stay.</summary>
    private const int FramesAhead = 6;

    /// <summary>Frames that one call lists at most when unfinished ones are kept: each may be one.</summary>
    private const int MostUnfinished = 256;

    private int _unfinishedCount;
    private int _nextBlock;       // the block to open next
    private int _oldestBlock;     // the first block not given back
    private int _heldBlocks;      // blocks opened and not given back
    private int _blockOffset;     // where the open block begins in the region
    private int _cursor;          // next frame in the open block
    private int _blockEnd;        // end of the frames in the open block
    private int _remaining;       // frames not listed in the open block
    private int _arenaNext;       // first free byte of the arena
    private SuperFrame _superFrame;
    private int _superFrameOffset;
    private int _superFrameBytes;

    private long _frames;
    private long _bytes;
    private long _malformed;
    private long _oversized;
    private long _unsupported;
    private long _superFrames;
    private long _segments;
    private long _checksums;
    private long _vlanTags;

    /// <summary>The frames of the last <see cref="Receive"/> that are unfinished, in order; always empty unless they are to be kept.</summary>
    internal ReadOnlySpan<UnfinishedFrame> Unfinished => _unfinished.AsSpan(0, _unfinishedCount);

    /// <summary>Lists frames that have come, without waiting, copying or allocating.</summary>
    /// <remarks>A listed frame stays where it is, writable, until <see cref="ReleaseReceived"/>; so do the head-room bytes before it.</remarks>
    /// <param name="offsets">Takes the offset of each frame's first MAC byte in <see cref="Region"/>.</param>
    /// <param name="lengths">Takes the length of each frame in bytes.</param>
    /// <returns>The number of frames listed, at most the shorter of the two spans.</returns>
    public int Receive(Span<int> offsets, Span<int> lengths)
    {
        _unfinishedCount = 0;
        if (_ring is null)
            return 0;
        int room = Math.Min(offsets.Length, lengths.Length);
        if (_unfinished.Length > 0)
            room = Math.Min(room, _unfinished.Length);
        int count = 0;
        while (count < room)
        {
            if (_superFrame.IsPending)
            {
                int before = count;
                count = ListSegments(offsets, lengths, count, room);
                // No room left in the arena: the next call goes on after the release.
                if (count == before)
                    break;
                continue;
            }

            if (_remaining == 0 && !TryOpenBlock())
                break;
            count = ListFrames(offsets, lengths, count, room);
        }

        _frames += count;
        return count;
    }

    /// <summary>Gives every fully listed block back to the kernel; all listed frames are invalid from now on.</summary>
    public void ReleaseReceived()
    {
        if (_ring is null)
            return;
        _arenaNext = 0;
        int kept = _remaining > 0 || _superFrame.IsPending ? 1 : 0;
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

    private AfPacketReceiveStatistics CountersOf(long kernelDrops, long kernelFreezes) => new()
    {
        Frames = Volatile.Read(ref _frames),
        Bytes = Volatile.Read(ref _bytes),
        KernelDrops = kernelDrops,
        KernelFreezes = kernelFreezes,
        Malformed = Volatile.Read(ref _malformed),
        Oversized = Volatile.Read(ref _oversized),
        UnsupportedSuperFrames = Volatile.Read(ref _unsupported),
        SuperFrames = Volatile.Read(ref _superFrames),
        Segments = Volatile.Read(ref _segments),
        ChecksumsCompleted = Volatile.Read(ref _checksums),
        VlanTagsRestored = Volatile.Read(ref _vlanTags),
    };

    private int Following(int block) => block + 1 == _blockCount ? 0 : block + 1;

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
                length = Normalise(header, offload, ref offset, length, count);
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

    /// <summary>Makes a frame what it would be on a wire.</summary>
    /// <returns>Its length, or 0 when it is not to be listed: it was dropped and counted, or is now the pending super-frame.</returns>
    private int Normalise(tpacket3_hdr* header, virtio_net_hdr* offload, ref int offset, int length, int index)
    {
        if ((uint)length != header->tp_len)
        {
            _oversized++;
            return 0;
        }

        byte gsoType = offload->gso_type;
        int gsoSize = offload->gso_size;
        bool partial = (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
        bool keep = _unfinished.Length > 0 && partial && IsOrdinary(gsoType);
        // The tag is written over the end of the offload header.
        virtio_net_hdr kept = *offload;
        // Offsets in the offload header count without the tag that lies beside the frame, so the checksum comes first.
        if (gsoType == VIRTIO_NET_HDR_GSO_NONE && partial && !keep && !CompleteChecksum(offset, length, offload->csum_start, offload->csum_offset))
        {
            _malformed++;
            return 0;
        }

        uint status = header->tp_status;
        if ((status & TP_STATUS_VLAN_VALID) != 0)
        {
            if (length < MacAddressesBytes)
            {
                _malformed++;
                return 0;
            }

            int type = (status & TP_STATUS_VLAN_TPID_VALID) != 0 ? header->tp_vlan_tpid : ETH_P_8021Q;
            offset -= VlanTagBytes;
            length += VlanTagBytes;
            RestoreVlanTag(Region.Start + offset, type, (int)header->tp_vlan_tci);
            kept.csum_start += VlanTagBytes;
            _vlanTags++;
        }

        if (keep)
        {
            _unfinished[_unfinishedCount++] = new UnfinishedFrame(index, kept);
            _superFrames += gsoType == VIRTIO_NET_HDR_GSO_NONE ? 0 : 1;
            return length;
        }

        return gsoType == VIRTIO_NET_HDR_GSO_NONE ? length : OpenSuperFrame(offset, length, gsoType, gsoSize);
    }

    /// <summary>Whether it is a kind that can be passed on as it is: no tunnel's inside, no fragments.</summary>
    private static bool IsOrdinary(byte gsoType) => (gsoType & ~VIRTIO_NET_HDR_GSO_ECN)
        is VIRTIO_NET_HDR_GSO_NONE or VIRTIO_NET_HDR_GSO_TCPV4 or VIRTIO_NET_HDR_GSO_TCPV6 or VIRTIO_NET_HDR_GSO_UDP_L4;

    /// <summary>Finishes a checksum left to hardware: its field holds the pseudo-header's sum (RFC 1071; include/linux/skbuff.h, CHECKSUM_PARTIAL).</summary>
    private bool CompleteChecksum(int offset, int length, int start, int fieldOffset)
    {
        int field = start + fieldOffset;
        if (start >= length || field + sizeof(ushort) > length)
            return false;
        var covered = new ReadOnlySpan<byte>(Region.Start + offset + start, length - start);
        ulong sum = InternetSum.Add(0, covered);
        // Six bytes into the transport header is UDP's field, where 0 means something else.
        const int UdpChecksum = 6;
        ushort checksum = fieldOffset == UdpChecksum ? InternetSum.ComplementNonZero(sum) : InternetSum.Complement(sum);
        *(ushort*)(Region.Start + offset + field) = checksum;
        _checksums++;
        return true;
    }

    /// <summary>Moves the MAC addresses four bytes down and writes the tag behind them.</summary>
    private static void RestoreVlanTag(byte* frame, int type, int control)
    {
        *(ulong*)frame = *(ulong*)(frame + VlanTagBytes);
        *(uint*)(frame + 8) = *(uint*)(frame + 8 + VlanTagBytes);
        frame[12] = (byte)(type >> 8);
        frame[13] = (byte)type;
        frame[14] = (byte)(control >> 8);
        frame[15] = (byte)control;
    }

    private int OpenSuperFrame(int offset, int length, byte gsoType, int gsoSize)
    {
        var frame = new ReadOnlySpan<byte>(Region.Start + offset, length);
        if (!_superFrame.TryOpen(frame, gsoType, gsoSize) || SlotFor(_superFrame.LongestSegmentBytes) > _arenaBytes)
        {
            _superFrame = default;
            _unsupported++;
            return 0;
        }

        _superFrames++;
        _superFrameOffset = offset;
        _superFrameBytes = length;
        return 0;
    }

    private int ListSegments(Span<int> offsets, Span<int> lengths, int count, int room)
    {
        var frame = new ReadOnlySpan<byte>(Region.Start + _superFrameOffset, _superFrameBytes);
        int slot = SlotFor(_superFrame.LongestSegmentBytes);
        int first = count;
        while (_superFrame.IsPending && count < room && slot <= _arenaBytes - _arenaNext)
        {
            // Two bytes more put the IP header on a multiple of four.
            int offset = _arenaNext + _headroomBytes + 2;
            int length = _superFrame.WriteNext(frame, new Span<byte>(Region.Start + offset, _superFrame.LongestSegmentBytes));
            offsets[count] = offset;
            lengths[count] = length;
            _bytes += length;
            _arenaNext += slot;
            count++;
        }

        _segments += count - first;
        return count;
    }

    private int SlotFor(int segmentBytes) => (_headroomBytes + 2 + segmentBytes + 63) & ~63;
}
