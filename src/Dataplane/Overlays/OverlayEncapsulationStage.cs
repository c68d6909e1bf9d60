using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.Overlays;

/// <summary>Writes the outer headers of a frame to an endpoint at another host, and what routing must know of the outer packet.</summary>
/// <remarks>
/// Input: frames that stand as they leave, whose out port is an overlay's; each has been copied behind the room of its outer headers. Output: packets of the engine's own origin
/// to the peer, which are routed like others; by a link, frames behind their identifier, which leave at once. Drops: hardware address that no endpoint elsewhere has, longer than an outer packet may be, way to a peer that leads
/// through an overlay again. State: the batch of outer packets. Cost: the frame copied once, its headers parsed for hash and ECN (5 to 10 ns), one line of the
/// station table, one or two of the peer's template; then one routing decision as for any packet. Of a super-frame each segment is copied and summed once, and all else is done once
/// (<see cref="OverlayWorker"/>). No flow: the peer's neighbour is one look-up.
/// A frame counts as held when it is taken and as released where its outer packet is: one packet, before and after.
/// </remarks>
internal static class OverlayEncapsulationStage
{
    /// <summary>Writes the headers before an inner frame that stands in its place.</summary>
    public static void Write(WorkerContext context, PacketBatch outer, int i, Overlay overlay, int peer)
    {
        outer.Marks[i] = PacketMarks.LocalOrigin | PacketMarks.NoUdpChecksum;
        outer.Flows[i] = -1;
        if (overlay.IsLinked)
        {
            // The port is the way: nothing is left to be routed.
            overlay.Templates[peer].CopyTo(outer.Frame(i));
            outer.Parsed[i] = default;
            outer.InInterfaces[i] = overlay.Trunk.Interface.Index;
            outer.Transmit(i, new PortId(overlay.Links[peer]));
        }
        else
        {
            WritePacket(context, outer, i, overlay, peer);
        }
    }

    private static void WritePacket(WorkerContext context, PacketBatch outer, int i, Overlay overlay, int peer)
    {
        Span<byte> frame = outer.Frame(i);
        ref ParsedFrame parsed = ref outer.Parsed[i];
        PacketParser.Look(frame[overlay.OuterBytes..], ref parsed, context.Hash);
        uint hash = parsed.Headers.IpVersion == 0 ? context.Hash.OfEndpoint(0, EthernetEnds.Source(frame[overlay.OuterBytes..]), 0, 0) : parsed.Hash;
        int congestion = parsed.Headers.IpVersion == 0 ? 0 : parsed.Headers.Tos & 3;
        ushort sourcePort = (ushort)(Vxlan.FirstSourcePort + (hash & 0x3FFF));
        Vxlan.Write(frame, overlay.Templates[peer], sourcePort, congestion);

        IpAddress local = overlay.Spec.Local;
        bool isV4 = local.IsIpv4;
        parsed.Headers = new PacketHeaders
        {
            EtherType = isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6,
            NetworkOffset = Vxlan.LinkBytes,
            TransportOffset = (ushort)(Vxlan.LinkBytes + (isV4 ? Vxlan.Ipv4Bytes : Vxlan.Ipv6Bytes)),
            EndOffset = (ushort)frame.Length,
            IpVersion = (byte)(isV4 ? 4 : 6),
            Protocol = IpProtocols.Udp,
            Ttl = 64,
        };
        parsed.Key = FlowKey.Create(local, sourcePort, overlay.Peers[peer], (ushort)overlay.Spec.UdpPort, IpProtocols.Udp);
        parsed.Hash = context.Hash.Of(in parsed.Key);
        outer.InInterfaces[i] = overlay.Underlay!.Index;
    }

    /// <summary>Says into what packet a frame has been put.</summary>
    public static void Explain(WorkerContext context, PacketBatch outer, Overlay overlay)
    {
        if (overlay.IsLinked)
        {
            int number = Array.IndexOf(overlay.Links, outer.OutPorts[0]);
            context.Trace!.Add(outer, "encapsulate", "link", $"into the link of {overlay} to peer {overlay.Peers[number]} by port {overlay.Spec.Links[number].Port}",
                ("network", overlay.Network.Spec.Name), ("vni", overlay.Spec.Vni), ("peer", overlay.Peers[number].ToString()), ("port", overlay.Spec.Links[number].Port));
            return;
        }

        ref readonly FlowKey key = ref outer.Parsed[0].Key;
        context.Trace!.Add(outer, "encapsulate", "vxlan", $"into VXLAN of {overlay} from {key.Source} to peer {key.Destination}, UDP {key.SourcePort} to {key.DestinationPort}",
            ("network", overlay.Network.Spec.Name), ("vni", overlay.Spec.Vni), ("peer", key.Destination.ToString()), ("source_port", (int)key.SourcePort));
    }
}
