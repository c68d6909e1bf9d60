using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;
using static Dataplane.Native.Abi.VirtioNet;

namespace Dataplane.Native;

// What turns a frame of the inside into one of the wire, whichever ring it came by.
public sealed unsafe partial class AfPacketReceiver
{
    private const int VlanTagBytes = 4;
    private const int MacAddressesBytes = 12;

    /// <summary>Frames that one call lists at most when unfinished ones are kept: each may be one.</summary>
    private const int MostUnfinished = 256;

    private int _unfinishedCount;
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

    /// <summary>Makes a frame what it would be on a wire.</summary>
    /// <returns>Its length, or 0 when it is not to be listed: it was dropped and counted, or is now the pending super-frame.</returns>
    private int Normalise(FrameHead head, virtio_net_hdr* offload, ref int offset, int length, int index)
    {
        if ((uint)length != head.WireBytes)
        {
            _oversized++;
            return 0;
        }

        byte gsoType = offload->gso_type;
        int gsoSize = offload->gso_size;
        bool partial = (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
        bool keep = IsKept(*offload);
        // The tag is written over the end of the offload header.
        virtio_net_hdr kept = *offload;
        // Offsets in the offload header count without the tag that lies beside the frame, so the checksum comes first.
        if (gsoType == VIRTIO_NET_HDR_GSO_NONE && partial && !keep && !CompleteChecksum(offset, length, offload->csum_start, offload->csum_offset))
        {
            _malformed++;
            return 0;
        }

        if ((head.Status & TP_STATUS_VLAN_VALID) != 0)
        {
            if (length < MacAddressesBytes)
            {
                _malformed++;
                return 0;
            }

            int type = (head.Status & TP_STATUS_VLAN_TPID_VALID) != 0 ? head.VlanType : ETH_P_8021Q;
            offset -= VlanTagBytes;
            length += VlanTagBytes;
            RestoreVlanTag(Region.Start + offset, type, head.VlanControl);
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

    private bool IsKept(virtio_net_hdr offload) =>
        _unfinished.Length > 0 && (offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 && IsOrdinary(offload.gso_type);

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

    /// <summary>What the ring says of a frame beside its bytes.</summary>
    /// <param name="Status">The flags TP_STATUS_*.</param>
    /// <param name="WireBytes">Its length before it was cut to what there is room for.</param>
    /// <param name="VlanControl">Control information of the tag that lies beside it.</param>
    /// <param name="VlanType">Protocol number of that tag.</param>
    private readonly record struct FrameHead(uint Status, uint WireBytes, int VlanControl, int VlanType);
}
