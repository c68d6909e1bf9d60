using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Overlays;

/// <summary>Takes frames out of VXLAN packets to the engine, and lets nobody who is attached make such packets.</summary>
/// <remarks>
/// Input: packets that have passed ingress and filter. Output: verdict hold for those whose inner frames are run through the pipeline next, in the memory of the outer ones, as
/// received by the overlay's port. Drops: not VXLAN, identifier or peer that is not known, marked with congestion that the inside does not understand, forged by an
/// endpoint. State: the inner frames noted. Cost: nothing without overlays; else a compare of the UDP port with those of tunnels, and for
/// tunnels' packets the line behind the UDP header and two lines of hash tables, by identifier and by peer. No byte is copied. A checksum, if the peer
/// has sent one, is verified: one pass over the packet.
/// </remarks>
internal static class OverlayDecapsulationStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        OverlayTable overlays = context.Tables.Bridges.Overlays;
        if (overlays.IsEmpty)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            ref readonly FlowKey key = ref batch.Parsed[i].Key;
            if (batch.Verdicts[i] == Verdict.Continue && batch.Parsed[i].Headers.IpVersion != 0 && key.Protocol == IpProtocols.Udp && overlays.IsTunnelPort(key.DestinationPort))
            {
                Look<TTracing>(context, overlays, batch, i);
            }
        }
    }

    private static void Look<TTracing>(WorkerContext context, OverlayTable overlays, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        IpAddress destination = batch.Parsed[i].Key.Destination;
        int socket = overlays.FindSocket(destination, batch.Parsed[i].Key.DestinationPort);
        bool isFromEndpoint = batch.InInterfaces[i] is >= 0 and short came && context.Tables.Interfaces[came].Station is not null;
        if (isFromEndpoint ? socket < 0 && !overlays.IsPeer(destination) : socket < 0)
        {
            return;
        }

        Overlay? overlay = null;
        DropReason reason = isFromEndpoint ? DropReason.OverlayForged : Open(context, overlays, batch, i, socket, out overlay);
        if (reason == DropReason.None)
        {
            batch.Verdicts[i] = Verdict.Hold;
        }
        else
        {
            batch.Drop(i, reason);
        }

        if (TTracing.IsOn)
        {
            IpAddress peer = batch.Parsed[i].Key.Source;
            string what = isFromEndpoint ? $"an endpoint has no business with the tunnels' end {destination}" : $"VXLAN from {peer} to {destination}, for {overlay?.ToString() ?? "nobody"}";
            context.Trace!.Add(batch, "decapsulate", reason == DropReason.None ? "vxlan" : reason.ToName(), what,
                ("peer", peer.ToString()), ("network", overlay?.Network.Spec.Name), ("vni", overlay?.Spec.Vni));
        }
    }

    private static DropReason Open(WorkerContext context, OverlayTable overlays, PacketBatch batch, int i, int socket, out Overlay? overlay)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        overlay = null;
        int udp = headers.TransportOffset, inner = udp + Vxlan.UdpBytes + Vxlan.HeaderBytes;
        Span<byte> frame = batch.Frame(i);
        if (headers.Fragment != FragmentKind.None || (batch.Marks[i] & PacketMarks.SuperFrame) != 0)
        {
            // Ends of tunnels need not put fragments together (RFC 7348 4.3); what the kernel has merged holds several packets.
            return DropReason.OverlayMalformed;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(frame[(udp + 4)..]), end = udp + length;
        if (end < inner + Vxlan.LinkBytes || end > headers.EndOffset || Vxlan.IdentifierOf(frame[(udp + Vxlan.UdpBytes)..]) is var vni && vni < 0)
        {
            return DropReason.OverlayMalformed;
        }

        if (BinaryPrimitives.ReadUInt16BigEndian(frame[(udp + 6)..]) != 0 && (batch.Marks[i] & PacketMarks.Unfinished) == 0
            && !InternetChecksum.Verify(frame[udp..end], InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Udp, (uint)length)))
        {
            return DropReason.OverlayMalformed;
        }

        overlay = overlays.Find(socket, vni);
        if (overlay is null)
        {
            return DropReason.OverlayUnknownVni;
        }

        int peer = overlay.FindPeer(key.SourceHigh, key.SourceLow);
        if (peer < 0)
        {
            return DropReason.OverlayUnknownPeer;
        }

        if (!Congestion.TryTakeOver(frame[inner..end], headers.Tos))
        {
            return DropReason.OverlayCongestion;
        }

        context.Overlays.Note(overlay, peer, batch.Offsets[i] + inner, end - inner);
        return DropReason.None;
    }
}
