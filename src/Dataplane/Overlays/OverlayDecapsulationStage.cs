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
/// has sent one, is verified: one pass over the packet. A UDP super-frame is as many packets as it has segments; a TCP super-frame inside goes on as one.
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
            batch.Hold(i, HoldReason.Decapsulated);
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
        int udp = headers.TransportOffset;
        Span<byte> frame = batch.Frame(i);
        if (headers.Fragment != FragmentKind.None)
        {
            // Ends of tunnels need not put fragments together (RFC 7348 4.3).
            return DropReason.OverlayMalformed;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(frame[(udp + 4)..]), end = udp + length;
        if (length < Vxlan.UdpBytes || end > headers.EndOffset)
        {
            return DropReason.OverlayMalformed;
        }

        if (BinaryPrimitives.ReadUInt16BigEndian(frame[(udp + 6)..]) != 0 && (batch.Marks[i] & PacketMarks.Unfinished) == 0
            && !InternetChecksum.Verify(frame[udp..end], InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Udp, (uint)length)))
        {
            return DropReason.OverlayMalformed;
        }

        int data = udp + Vxlan.UdpBytes;
        if ((batch.Marks[i] & PacketMarks.SuperFrame) != 0 && IsOuter(batch, i))
        {
            return OpenAll(context, overlays, batch, i, socket, data, end, out overlay);
        }

        int peer = FindPeer(overlays, batch, i, socket, frame[data..end], out overlay, out DropReason reason);
        int inner = batch.Offsets[i] + data + Vxlan.HeaderBytes, innerBytes = end - data - Vxlan.HeaderBytes;
        if (reason != DropReason.None)
        {
            return reason;
        }

        if ((batch.Marks[i] & PacketMarks.SuperFrame) == 0)
        {
            context.Overlays.Inner.Note(overlay!, peer, inner, innerBytes);
            return DropReason.None;
        }

        // What is left to finish is inside: a super-frame that another kernel of this machine has put into one packet.
        context.Overlays.Inner.Note(overlay!, peer, inner, innerBytes, in batch.Offloads[i]);
        return DropReason.None;
    }

    /// <summary>Whether what is left to finish is of the outer packet.</summary>
    private static bool IsOuter(PacketBatch batch, int i) => batch.Offloads[i].TransportAt == batch.Offsets[i] + batch.Parsed[i].Headers.TransportOffset;

    /// <summary>Takes a UDP super-frame apart, whose segments are packets of one peer. Those that are not let in are dropped each for its own reason.</summary>
    private static DropReason OpenAll(WorkerContext context, OverlayTable overlays, PacketBatch batch, int i, int socket, int data, int end, out Overlay? overlay)
    {
        int step = batch.Offloads[i].SegmentBytes;
        overlay = null;
        if (end - data > step * InnerFrames.MaxSegments)
        {
            return DropReason.OverlayMalformed;
        }

        bool isFirst = true;
        for (int at = data; at < end; at += step)
        {
            int length = Math.Min(step, end - at);
            int peer = FindPeer(overlays, batch, i, socket, batch.Frame(i).Slice(at, length), out Overlay? last, out DropReason reason);
            if (reason != DropReason.None)
            {
                context.Counters.CountOriginatedDropped(reason);
                continue;
            }

            context.Overlays.Inner.Note(last!, peer, batch.Offsets[i] + at + Vxlan.HeaderBytes, length - Vxlan.HeaderBytes, isFirst);
            (isFirst, overlay) = (false, last);
        }

        return isFirst ? DropReason.ConsumedSegmented : DropReason.None;
    }

    /// <summary>Finds whose frame stands in the data of a packet, and takes the mark of congestion over into it.</summary>
    /// <returns>The peer; of no meaning with a reason.</returns>
    private static int FindPeer(OverlayTable overlays, PacketBatch batch, int i, int socket, Span<byte> data, out Overlay? overlay, out DropReason reason)
    {
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        overlay = null;
        reason = DropReason.OverlayMalformed;
        if (data.Length < Vxlan.HeaderBytes + Vxlan.LinkBytes || Vxlan.IdentifierOf(data) is var vni && vni < 0)
        {
            return -1;
        }

        reason = DropReason.OverlayUnknownVni;
        overlay = overlays.Find(socket, vni);
        if (overlay is null)
        {
            return -1;
        }

        int peer = overlay.FindPeer(key.SourceHigh, key.SourceLow);
        reason = peer < 0 ? DropReason.OverlayUnknownPeer
            : Congestion.TryTakeOver(data[Vxlan.HeaderBytes..], batch.Parsed[i].Headers.Tos) ? DropReason.None : DropReason.OverlayCongestion;
        return peer;
    }
}
