using System.Buffers.Binary;
using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tunnels;

namespace Dataplane.Rewriting;

/// <summary>Hands packets with something left to finish to a port, and finishes before what the port cannot.</summary>
/// <remarks>Order is kept: a super-frame's segments leave between the packets before and behind it. Segments are written into memory of their own, as many
/// as it holds at a time. One per worker; allocates nothing once made.</remarks>
internal sealed class SoftwareOffload
{
    private const int HeadroomBytes = 64;
    private const int MemoryBytes = 256 << 10;
    private const int LinkBytes = 14;
    private const int MaxPrefixBytes = LinkBytes + 4 + OuterHeader.MaxBytes;

    private readonly WorkerCounters _counters;
    private readonly PacketBatch _segments = new();
    private readonly byte[] _memory = GC.AllocateUninitializedArray<byte>(MemoryBytes, pinned: true);
    private readonly short[] _all = [.. Enumerable.Range(0, PacketBatch.Capacity).Select(number => (short)number)];

    public SoftwareOffload(WorkerCounters counters) => _counters = counters;

    /// <summary>Hands packets over; afterwards each is transmitted or dropped.</summary>
    public void Transmit(PacketBatch batch, ReadOnlySpan<short> packets, IPort port)
    {
        FrameOffloads offloads = port.Offloads;
        int handed = 0;
        for (int k = 0; k < packets.Length; k++)
        {
            short i = packets[k];
            PacketMarks marks = batch.Marks[i];
            if ((marks & PacketMarks.Unfinished) == 0)
            {
                continue;
            }

            if ((marks & PacketMarks.Enclosed) == 0 && (offloads & Needed(batch, i)) == Needed(batch, i))
            {
                UnfinishedChecksums.WritePseudoHeader(batch, i);
            }
            else if ((marks & PacketMarks.SuperFrame) == 0)
            {
                UnfinishedChecksums.Complete(batch, i);
            }
            else
            {
                Hand(batch, packets[handed..k], port);
                Cut(batch, i, port);
                handed = k + 1;
            }
        }

        Hand(batch, packets[handed..], port);
    }

    private static void Hand(PacketBatch batch, ReadOnlySpan<short> packets, IPort port)
    {
        if (!packets.IsEmpty)
        {
            port.Transmit(batch, packets);
        }
    }

    private static FrameOffloads Needed(PacketBatch batch, int i) => (batch.Offloads[i].Kind & ~VirtioNet.VIRTIO_NET_HDR_GSO_ECN) switch
    {
        VirtioNet.VIRTIO_NET_HDR_GSO_NONE => FrameOffloads.Checksum,
        VirtioNet.VIRTIO_NET_HDR_GSO_UDP_L4 => FrameOffloads.Checksum | FrameOffloads.Udp,
        _ => FrameOffloads.Checksum | FrameOffloads.Tcp,
    };

    /// <summary>Cuts a super-frame; its segments are packets the engine originates.</summary>
    private void Cut(PacketBatch batch, int i, IPort port)
    {
        // A UDP checksum of 0 would be read as "none"; the sum of a pseudo-header never is.
        UnfinishedChecksums.WritePseudoHeader(batch, i);
        bool isWithoutChecksum = (batch.Marks[i] & PacketMarks.NoUdpChecksum) != 0;
        if (isWithoutChecksum)
        {
            batch.Memory.Slice(batch.Offloads[i].TransportAt + batch.Offloads[i].ChecksumOffset, sizeof(ushort)).Clear();
        }

        Span<byte> frame = batch.Frame(i);
        Span<byte> prefix = stackalloc byte[MaxPrefixBytes];
        int prefixBytes = 0, link = 0;
        if ((batch.Marks[i] & PacketMarks.Enclosed) != 0)
        {
            // Cut as it was before it was enclosed: the end of the outer header is made a link header, as far as one is looked at.
            ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
            int inside = batch.Offloads[i].TransportAt - batch.Offsets[i] - (headers.TransportOffset - headers.NetworkOffset);
            (prefixBytes, link) = (inside, BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) == EtherTypes.Vlan ? 18 : LinkBytes);
            frame[..inside].CopyTo(prefix);
            frame = frame[(inside - LinkBytes)..];
            BinaryPrimitives.WriteUInt16BigEndian(frame[12..], headers.IpVersion == 4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
        }

        SuperFrame superFrame = default;
        if (!superFrame.TryOpen(frame, batch.Offloads[i].Kind, batch.Offloads[i].SegmentBytes))
        {
            batch.Drop(i, DropReason.BadOffload);
            return;
        }

        if (isWithoutChecksum)
        {
            superFrame.LeaveOutChecksum();
        }

        // Two bytes more put the IP header on a multiple of four.
        int slot = (HeadroomBytes + 2 + superFrame.LongestSegmentBytes + 63) & ~63;
        while (superFrame.IsPending)
        {
            _segments.Clear(batch.Port, batch.NowNs);
            _segments.SetMemory(_memory);
            for (int at = 0; superFrame.IsPending && at + slot <= MemoryBytes && _segments.Count < PacketBatch.Capacity; at += slot)
            {
                int offset = at + HeadroomBytes + 2;
                int length = superFrame.WriteNext(frame, _memory.AsSpan(offset));
                if (prefixBytes > 0)
                {
                    (offset, length) = (offset + LinkBytes - prefixBytes, length - LinkBytes + prefixBytes);
                    Encapsulator.EncloseSegment(_memory.AsSpan(offset, length), prefix[..prefixBytes], link);
                }

                _segments.Add(offset, length);
                _segments.Transmit(_segments.Count - 1, batch.OutPortOf(i));
            }

            port.Transmit(_segments, _all.AsSpan(0, _segments.Count));
            _counters.CountBatch(_segments, 0, _segments.Count, 0);
        }

        batch.Drop(i, DropReason.ConsumedSegmented);
    }
}
