using System.Buffers.Binary;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tunnels;

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
            if (batch.Verdicts[i] == Verdict.Forward)
            {
                Rewrite<TTracing>(context, batch, memory, i, hops[batch.NextHops[i]].Interface);
            }
        }
    }

    /// <summary>Writes one packet whose flow, neighbour and way out are known.</summary>
    private static void Rewrite<TTracing>(WorkerContext context, PacketBatch batch, Span<byte> memory, int i, L3Interface way)
        where TTracing : struct, ITracing
    {
        int flow = batch.Flows[i], link = way.LinkHeaderBytes;
        bool takeTtl = (batch.Marks[i] & PacketMarks.LocalOrigin) == 0;
        if (flow >= 0 && context.Flows[flow].ChangesFamily)
        {
            RewriteAsOther<TTracing>(context, batch, i, way, in context.Flows[flow]);
            return;
        }

        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        int network = batch.Offsets[i] + headers.NetworkOffset, length = headers.EndOffset - headers.NetworkOffset;
        bool isCut = length > SpecLimits.MinIpv6Mtu && OtherFamily.MayBeCut(context.Tables, batch, i);
        ulong mac = context.Neighbours[batch.Neighbours[i]].Mac;
        WriteAny(context, memory, network, in headers, flow, takeTtl, mac, way);
        batch.Offsets[i] = network - link;
        batch.Lengths[i] = length + link;
        batch.Verdicts[i] = Verdict.Transmit;
        int outer = flow < 0 ? 0 : context.Flows[flow].OuterBytes, mtu = way.Mtu - outer, made = context.Originated.Batch.Count;
        if (isCut)
        {
            Ipv6Fragmenter.Split(context, batch, i, link, way, Math.Min(mtu, SpecLimits.MinIpv6Mtu), identification: 0);
        }
        else if (length > mtu && batch.IsTooLong(i, mtu))
        {
            Fragmenter.Split(context, batch, i, link, way, mtu);
        }

        if (outer != 0)
        {
            Encapsulator.Enclose(context, batch, i, link, in context.Flows[flow], made);
        }

        if (TTracing.IsOn)
        {
            Explain(context, batch, i, way, flow, takeTtl);
        }
    }

    /// <summary>Writes one packet as one of the other family.</summary>
    private static void RewriteAsOther<TTracing>(WorkerContext context, PacketBatch batch, int i, L3Interface way, in FlowEntry entry)
        where TTracing : struct, ITracing
    {
        TranslatedPacket translated = FamilyTranslation.Translate(context, batch, i, in entry, takeTtl: true);
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        int link = way.LinkHeaderBytes, network = batch.Offsets[i] + headers.NetworkOffset, length = headers.EndOffset - headers.NetworkOffset;
        LinkHeader.Write(batch.Memory.Slice(network - link, link), context.Neighbours[batch.Neighbours[i]].Mac, way, headers.EtherType);
        (batch.Offsets[i], batch.Lengths[i]) = (network - link, length + link);
        batch.Verdicts[i] = Verdict.Transmit;
        int mtu = Math.Min(way.Mtu, translated.MaxBytes);
        if (length > mtu && batch.IsTooLong(i, mtu))
        {
            if (headers.IpVersion == 4)
            {
                Fragmenter.Split(context, batch, i, link, way, mtu);
            }
            else
            {
                Ipv6Fragmenter.Split(context, batch, i, link, way, mtu, translated.Identification);
            }
        }

        if (TTracing.IsOn)
        {
            Explain(context, batch, i, way, batch.Flows[i], takeTtl: true);
        }
    }

    private static void WriteAny(WorkerContext context, Span<byte> memory, int network, in PacketHeaders headers, int flow, bool takeTtl, ulong mac, L3Interface way)
    {
        Span<byte> packet = memory.Slice(network, headers.EndOffset - headers.NetworkOffset);
        bool isV4 = headers.IpVersion == 4;
        if (flow < 0 || context.Flows[flow].IsPlain)
        {
            TakeTtl(packet, isV4, takeTtl);
        }
        else if (isV4)
        {
            TranslateV4(packet, in headers, takeTtl, in context.Flows[flow]);
        }
        else
        {
            TranslateV6(packet, in headers, takeTtl, in context.Flows[flow]);
        }

        int link = way.LinkHeaderBytes;
        LinkHeader.Write(memory.Slice(network - link, link), mac, way, isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
    }

    /// <summary>Writes the addresses and ports of a flow into a packet that is not to leave yet: its TTL stays.</summary>
    public static void Translate(Span<byte> packet, in PacketHeaders headers, in FlowEntry entry)
    {
        if (headers.IpVersion == 4)
        {
            TranslateV4(packet, in headers, takeTtl: false, in entry);
        }
        else
        {
            TranslateV6(packet, in headers, takeTtl: false, in entry);
        }
    }

    private static void TakeTtl(Span<byte> packet, bool isV4, bool takeTtl)
    {
        if (!takeTtl)
        {
            return;
        }

        if (!isV4)
        {
            packet[7]--;
            return;
        }

        // TTL, protocol and checksum are one word.
        uint word = BinaryPrimitives.ReadUInt32BigEndian(packet[8..]);
        BinaryPrimitives.WriteUInt32BigEndian(packet[8..],
            ((word - 0x0100_0000) & 0xFFFF_0000) | InternetChecksum.Adjust((ushort)word, InternetChecksum.TtlDecrementDelta));
    }

    private static void TranslateV4(Span<byte> packet, in PacketHeaders headers, bool takeTtl, in FlowEntry entry)
    {
        // TTL, protocol and checksum are one word; source and destination another.
        Span<byte> header = packet[..20];
        uint word = BinaryPrimitives.ReadUInt32BigEndian(header[8..]);
        uint ttl = takeTtl ? 0x0100_0000u : 0, delta = entry.AddressDelta + (takeTtl ? InternetChecksum.TtlDecrementDelta : 0u);
        BinaryPrimitives.WriteUInt32BigEndian(header[8..],
            ((word - ttl) & 0xFFFF_0000) | InternetChecksum.Adjust((ushort)word, InternetChecksum.Fold(delta)));
        BinaryPrimitives.WriteUInt64BigEndian(header[12..], (entry.NewSourceLow << 32) | (uint)entry.NewDestinationLow);
        TranslateTransport(packet, in headers, in entry);
    }

    private static void TranslateV6(Span<byte> packet, in PacketHeaders headers, bool takeTtl, in FlowEntry entry)
    {
        Span<byte> header = packet[..40];
        header[7] -= takeTtl ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt64BigEndian(header[8..], entry.NewSourceHigh);
        BinaryPrimitives.WriteUInt64BigEndian(header[16..], entry.NewSourceLow);
        BinaryPrimitives.WriteUInt64BigEndian(header[24..], entry.NewDestinationHigh);
        BinaryPrimitives.WriteUInt64BigEndian(header[32..], entry.NewDestinationLow);
        TranslateTransport(packet, in headers, in entry);
    }

    private static void TranslateTransport(Span<byte> packet, in PacketHeaders headers, in FlowEntry entry)
    {
        if (headers.Fragment == FragmentKind.Later)
        {
            // Ports and checksum are in the first.
            return;
        }

        Span<byte> transport = packet[(headers.TransportOffset - headers.NetworkOffset)..];
        if (entry.State == FlowState.IcmpQuery)
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport[IcmpEcho.IdentifierAt..], (ushort)entry.NewPorts);
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(transport[IcmpEcho.ChecksumAt..]);
            BinaryPrimitives.WriteUInt16BigEndian(transport[IcmpEcho.ChecksumAt..], InternetChecksum.Adjust(checksum, entry.TransportDelta));
            return;
        }

        BinaryPrimitives.WriteUInt32BigEndian(transport, entry.NewPorts);
        if (headers.Protocol == IpProtocols.Tcp)
        {
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(transport[16..]);
            BinaryPrimitives.WriteUInt16BigEndian(transport[16..], InternetChecksum.Adjust(checksum, entry.TransportDelta));
        }
        else
        {
            // A UDP checksum of 0 over IPv4 says there is none (RFC 768), and none it stays. Over IPv6 it is an error of the sender (RFC 8200 8.1).
            BinaryPrimitives.WriteUInt16BigEndian(transport[6..], InternetChecksum.AdjustUdp(BinaryPrimitives.ReadUInt16BigEndian(transport[6..]), entry.TransportDelta));
        }
    }

    /// <summary>Says how the packet leaves.</summary>
    public static void Explain(WorkerContext context, PacketBatch batch, int i, L3Interface way, int flow, bool takeTtl)
    {
        string ttl = takeTtl ? "TTL taken down by one" : "TTL as it is";
        bool translated = flow >= 0 && !context.Flows[flow].IsPlain;
        string nat = translated ? $", {(context.Flows[flow].ChangesFamily ? "as a packet of the other family, " : "")}addresses {context.Flows[flow].NewSource} > {context.Flows[flow].NewDestination}" : "";
        if (flow >= 0 && context.Flows[flow].OuterBytes != 0 && context.Tables.OuterOf(in context.Flows[flow]) is { } outer)
        {
            uint entropy = context.Flows[flow].Hash;
            string kind = outer.Kind == TunnelKinds.Gue ? $"gue, UDP {OuterHeader.PortFor(entropy)} > {context.Tables.Tunnels.GuePort}" : "ipip";
            nat = $", inside {outer.SourceFor(entropy)} > {outer.Destination} ({kind}, {outer.Bytes} bytes more)";
        }

        string link = new MacAddress(context.Neighbours[batch.Neighbours[i]].Mac).ToString();
        context.Trace!.Add(batch, "rewrite", "transmit", $"{ttl}{nat}, to {link} by {way}", ("port", way.PortName), ("mac", link), ("translated", translated),
            ("length", batch.Lengths[i]));
    }
}
