using System.Buffers.Binary;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Rewriting;

/// <summary>Writes what is decided into the frame: addresses and ports of the flow, TTL, checksums, link header.</summary>
/// <remarks>
/// Input: packets with verdict forward and a neighbour. Output: frames that stand as they leave, verdict transmit. Drops: fragments that
/// find no room. State: none. Cost: the header line is in cache; checksums by difference only, never over the payload (RFC 1624).
/// The link header is written directly before the IP header, so a frame that came with a tag or 802.2 header leaves without.
/// </remarks>
internal static class RewriteStage
{
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        NextHop[] hops = context.Tables.NextHops;
        Span<byte> memory = batch.Memory;
        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Forward)
            {
                continue;
            }

            ref readonly PacketHeaders headers = ref batch.Headers[i];
            L3Interface way = hops[batch.NextHops[i]].Interface;
            int network = batch.Offsets[i] + headers.NetworkOffset;
            int length = headers.EndOffset - headers.NetworkOffset;
            bool isV4 = headers.IpVersion == 4;
            int flow = batch.Flows[i];
            bool takeTtl = (batch.Marks[i] & PacketMarks.LocalOrigin) == 0;
            Span<byte> packet = memory.Slice(network, length);
            if (isV4)
            {
                RewriteV4(packet, in headers, takeTtl, context.Flows, flow);
            }
            else
            {
                RewriteV6(packet, in headers, takeTtl, context.Flows, flow);
            }

            int link = way.LinkHeaderBytes;
            LinkHeader.Write(memory.Slice(network - link, link), context.Neighbours[batch.Neighbours[i]].Mac, way, isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
            batch.Offsets[i] = network - link;
            batch.Lengths[i] = length + link;
            batch.Verdicts[i] = Verdict.Transmit;
            if (length > way.Mtu)
            {
                Fragmenter.Split(context, batch, i, link, way);
            }

            if (TTracing.IsOn)
            {
                Explain(context, batch, i, way, flow, takeTtl);
            }
        }
    }

    private static void RewriteV4(Span<byte> packet, in PacketHeaders headers, bool takeTtl, FlowTable flows, int flow)
    {
        uint delta = 0;
        if (takeTtl)
        {
            packet[8]--;
            delta = InternetChecksum.TtlDecrementDelta;
        }

        if (flow >= 0)
        {
            ref readonly FlowEntry entry = ref flows[flow];
            BinaryPrimitives.WriteUInt32BigEndian(packet[12..], (uint)entry.NewSourceLow);
            BinaryPrimitives.WriteUInt32BigEndian(packet[16..], (uint)entry.NewDestinationLow);
            delta += entry.AddressDelta;
            RewriteTransport(packet[(headers.TransportOffset - headers.NetworkOffset)..], headers.Protocol, in entry, zeroMeansNone: true);
        }

        if (delta != 0)
        {
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(packet[10..]);
            BinaryPrimitives.WriteUInt16BigEndian(packet[10..], InternetChecksum.Adjust(checksum, InternetChecksum.Fold(delta)));
        }
    }

    private static void RewriteV6(Span<byte> packet, in PacketHeaders headers, bool takeTtl, FlowTable flows, int flow)
    {
        if (takeTtl)
        {
            packet[7]--;
        }

        if (flow >= 0)
        {
            ref readonly FlowEntry entry = ref flows[flow];
            BinaryPrimitives.WriteUInt64BigEndian(packet[8..], entry.NewSourceHigh);
            BinaryPrimitives.WriteUInt64BigEndian(packet[16..], entry.NewSourceLow);
            BinaryPrimitives.WriteUInt64BigEndian(packet[24..], entry.NewDestinationHigh);
            BinaryPrimitives.WriteUInt64BigEndian(packet[32..], entry.NewDestinationLow);
            RewriteTransport(packet[(headers.TransportOffset - headers.NetworkOffset)..], headers.Protocol, in entry, zeroMeansNone: false);
        }
    }

    private static void RewriteTransport(Span<byte> transport, byte protocol, in FlowEntry entry, bool zeroMeansNone)
    {
        BinaryPrimitives.WriteUInt32BigEndian(transport, entry.NewPorts);
        if (protocol == IpProtocols.Tcp)
        {
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(transport[16..]);
            BinaryPrimitives.WriteUInt16BigEndian(transport[16..], InternetChecksum.Adjust(checksum, entry.TransportDelta));
        }
        else
        {
            // A UDP checksum of 0 over IPv4 says there is none (RFC 768), and none it stays. Over IPv6 it is an error of the sender (RFC 8200 8.1).
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(transport[6..]);
            if (checksum != 0 || !zeroMeansNone)
            {
                BinaryPrimitives.WriteUInt16BigEndian(transport[6..], InternetChecksum.AdjustUdp(checksum, entry.TransportDelta));
            }
        }
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, L3Interface way, int flow, bool takeTtl)
    {
        string ttl = takeTtl ? "TTL taken down by one" : "TTL as it is";
        string nat = flow >= 0 ? $", addresses {context.Flows[flow].NewSource} > {context.Flows[flow].NewDestination}" : "";
        string link = new MacAddress(context.Neighbours[batch.Neighbours[i]].Mac).ToString();
        context.Trace!.Add(batch, "rewrite", "transmit", $"{ttl}{nat}, to {link} by {way}", ("port", way.PortName), ("mac", link), ("translated", flow >= 0),
            ("length", batch.Lengths[i]));
    }
}
