using Dataplane.Native.Abi;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Rewriting;

/// <summary>Compares what offload headers say with what the parser found, so that everything behind may rely on it.</summary>
/// <remarks>
/// Input: parsed packets. Output: unfinished packets are whole TCP or UDP packets whose checksum stands where it should, super-frames have a segment size; an
/// unfinished checksum of any other kind (a tunnel's inside, an IPv6 routing header) is finished here; a super-frame inside of a tunnel that ends here passes as it is. Drops: what cannot be as its offload header says.
/// State: none. Cost: nothing for a batch without offloads; else the header line, and the whole packet for the rare kinds.
/// </remarks>
internal static class OffloadStage
{
    private const int TcpChecksum = 16, UdpChecksum = 6;

    public static void Process(PacketBatch batch, OverlayTable overlays)
    {
        if (!batch.HasOffloads)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if ((batch.Marks[i] & PacketMarks.Unfinished) == 0)
            {
                continue;
            }

            if (batch.Verdicts[i] == Verdict.Continue)
            {
                Check(batch, i, overlays);
            }
            else
            {
                // The parser dropped it; should a user's stage send it all the same, then as it stands.
                Finish(batch, i);
            }
        }
    }

    private static void Check(PacketBatch batch, int i, OverlayTable overlays)
    {
        ref PacketOffload offload = ref batch.Offloads[i];
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool isSuperFrame = (batch.Marks[i] & PacketMarks.SuperFrame) != 0;
        bool isOrdinary = headers.Fragment == FragmentKind.None && headers.TransportOffset != 0
            && batch.Offsets[i] + headers.TransportOffset == offload.TransportAt
            && offload.ChecksumOffset == headers.Protocol switch { IpProtocols.Tcp => TcpChecksum, IpProtocols.Udp => UdpChecksum, _ => -1 }
            && UnfinishedChecksums.HoldsPseudoHeader(batch, i);
        if (isOrdinary)
        {
            if (isSuperFrame && !TryMeasure(batch, i))
            {
                batch.Drop(i, DropReason.BadOffload);
            }
        }
        else if (isSuperFrame && IsInsideOfTunnel(batch, i, overlays))
        {
            // Looked at again when it has been taken out.
        }
        else if (!Finish(batch, i) || isSuperFrame)
        {
            batch.Drop(i, DropReason.BadOffload);
        }
    }

    /// <summary>Whether a super-frame is in a packet of a tunnel that ends here: the kernel says of such a one only what is inside.</summary>
    private static bool IsInsideOfTunnel(PacketBatch batch, int i, OverlayTable overlays)
    {
        const int Outermost = 8 + 8 + 14 + 20;
        ref readonly PacketOffload offload = ref batch.Offloads[i];
        ref readonly ParsedFrame parsed = ref batch.Parsed[i];
        int start = offload.TransportAt - batch.Offsets[i];
        return !overlays.IsEmpty && parsed.Headers.Protocol == IpProtocols.Udp && parsed.Headers.Fragment == FragmentKind.None
            && start >= parsed.Headers.TransportOffset + Outermost && start + offload.ChecksumOffset + sizeof(ushort) <= parsed.Headers.EndOffset
            && overlays.FindSocket(parsed.Key.Destination, parsed.Key.DestinationPort) >= 0;
    }

    /// <summary>Notes how long the headers are that every segment repeats.</summary>
    /// <returns>False when the packet is not of the kind it should be, or there is nothing to cut.</returns>
    private static bool TryMeasure(PacketBatch batch, int i)
    {
        ref PacketOffload offload = ref batch.Offloads[i];
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool fits = (offload.Kind & ~VirtioNet.VIRTIO_NET_HDR_GSO_ECN) switch
        {
            VirtioNet.VIRTIO_NET_HDR_GSO_TCPV4 => headers is { Protocol: IpProtocols.Tcp, IpVersion: 4 },
            VirtioNet.VIRTIO_NET_HDR_GSO_TCPV6 => headers is { Protocol: IpProtocols.Tcp, IpVersion: 6 },
            VirtioNet.VIRTIO_NET_HDR_GSO_UDP_L4 => headers.Protocol == IpProtocols.Udp,
            _ => false,
        };
        int transportBytes = headers.Protocol == IpProtocols.Tcp ? (batch.Frame(i)[headers.TransportOffset + 12] >> 4) * 4 : 8;
        offload.HeaderBytes = (ushort)(headers.TransportOffset - headers.NetworkOffset + transportBytes);
        return fits && offload.SegmentBytes > 0 && headers.EndOffset > headers.TransportOffset + transportBytes;
    }

    /// <summary>Finishes the checksum where the offload header says it is, whatever it is of, and takes the marks off.</summary>
    /// <returns>False when that is not in the frame.</returns>
    private static bool Finish(PacketBatch batch, int i)
    {
        batch.Marks[i] &= ~(PacketMarks.Unfinished | PacketMarks.SuperFrame);
        Span<byte> frame = batch.Frame(i);
        int start = batch.Offloads[i].TransportAt - batch.Offsets[i], checksumOffset = batch.Offloads[i].ChecksumOffset;
        if (start < 0 || start + checksumOffset + sizeof(ushort) > frame.Length)
        {
            return false;
        }

        UnfinishedChecksums.Complete(frame[start..], checksumOffset);
        return true;
    }
}
