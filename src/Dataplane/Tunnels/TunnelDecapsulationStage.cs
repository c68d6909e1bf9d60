using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane.Tunnels;

/// <summary>Takes packets out of packets that are for addresses of the engine which do so: what goes on is the packet inside, as if it had come by the same port.</summary>
/// <remarks>
/// Input: parsed packets. Output: those inside, parsed, the link header before them. Drops: outer header or UDP checksum bad, fragments, sources that are not
/// listened to, packets inside that are to be taken out again, congestion that cannot be told (RFC 6040, 4.2); and whatever the parser finds wrong with the
/// packet inside. State: counters. Cost: nothing without such addresses; else a compare of the protocol for each packet, and for tunnelled ones a hash look-up,
/// a second parse, and the sum over the payload where UDP has a checksum.
/// </remarks>
internal static class TunnelDecapsulationStage
{
    private const int UdpBytes = 8;
    private const byte Congested = 3;

    public static void Process<TTracing>(WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        TunnelTable tunnels = context.Tables.Tunnels;
        if (tunnels.IsEmpty)
        {
            return;
        }

        // What comes from an endpoint comes under its own address, and nothing inside it would have been looked at.
        int untagged = context.Tables.InterfaceMap.Find(batch.Port.Value, 0);
        if (untagged >= 0 && context.Tables.Interfaces[untagged].Station is not null)
        {
            return;
        }

        for (int i = 0; i < batch.Count; i++)
        {
            if (batch.Verdicts[i] != Verdict.Continue || KindOf(in batch.Parsed[i], tunnels.GuePort) is not (not TunnelKinds.None and var kind))
            {
                continue;
            }

            IpAddress source = batch.Parsed[i].Key.Source, address = batch.Parsed[i].Key.Destination;
            if (tunnels.Find(address) is not { } taken || (taken.Spec.Kinds & kind) == 0)
            {
                continue;
            }

            int length = batch.Lengths[i];
            TakeOut(tunnels, taken, batch, i, kind, context.Hash);
            if (TTracing.IsOn)
            {
                Explain(context, batch, i, kind, source, address);
            }
            else if (batch.Verdicts[i] == Verdict.Continue)
            {
                ref Balancing.BackendCounts counts = ref taken.Counters[context.Share.Index].Counts;
                counts.Packets++;
                counts.Bytes += length;
            }
        }
    }

    /// <summary>The same for one packet whose owner is asked for: counts nothing.</summary>
    public static void Preview(WorkerContext context, PacketBatch batch)
    {
        TunnelTable tunnels = context.Tables.Tunnels;
        if (batch.Verdicts[0] == Verdict.Continue && KindOf(in batch.Parsed[0], tunnels.GuePort) is not TunnelKinds.None and var kind
            && tunnels.Find(batch.Parsed[0].Key.Destination) is { } taken && (taken.Spec.Kinds & kind) != 0)
        {
            TakeOut(tunnels, taken, batch, 0, kind, context.Hash);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    private static TunnelKinds KindOf(in ParsedFrame parsed, ushort guePort) => parsed.Headers.Protocol switch
    {
        IpProtocols.Udp when parsed.Key.DestinationPort == guePort => TunnelKinds.Gue,
        IpProtocols.Ipv4 or IpProtocols.Ipv6 => TunnelKinds.Ipip,
        _ => TunnelKinds.None,
    };

    private static void TakeOut(TunnelTable tunnels, Decapsulation taken, PacketBatch batch, int i, TunnelKinds kind, in Flows.FlowHash hash)
    {
        ref readonly ParsedFrame outer = ref batch.Parsed[i];
        DropReason reason = Check(taken, batch, i, kind, out int start, out int end);
        if (reason != DropReason.None)
        {
            batch.Drop(i, reason);
            return;
        }

        // The link header moves before the packet inside; a SNAP header is left out.
        Span<byte> frame = batch.Frame(i);
        byte tos = outer.Headers.Tos;
        int link = outer.Headers.VlanTags == 0 ? 14 : outer.Headers.NetworkOffset, by = start - link;
        bool isV4 = frame[start] >> 4 == 4;
        frame[..(link - sizeof(ushort))].CopyTo(frame[by..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[(start - sizeof(ushort))..], isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
        batch.Offsets[i] += by;
        batch.Lengths[i] = end - by;
        batch.Parsed[i] = default;
        PacketParser.ProcessOne(batch, i, in hash);
        if (batch.Verdicts[i] != Verdict.Continue)
        {
            return;
        }

        if (KindOf(in batch.Parsed[i], tunnels.GuePort) is not TunnelKinds.None and var nested
            && tunnels.Find(batch.Parsed[i].Key.Destination) is { } again && (again.Spec.Kinds & nested) != 0)
        {
            // Each level would be work that one small packet can ask for again and again.
            batch.Drop(i, DropReason.TunnelNested);
        }
        else if ((tos & Congested) == Congested && !TryMarkCongestion(batch, i))
        {
            batch.Drop(i, DropReason.TunnelCongestion);
        }
    }

    private static DropReason Check(Decapsulation taken, PacketBatch batch, int i, TunnelKinds kind, out int start, out int end)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref readonly FlowKey key = ref batch.Parsed[i].Key;
        (start, end) = (headers.TransportOffset, headers.EndOffset);
        bool isV4 = headers.IpVersion == 4;
        if (isV4 ? AddressClasses.IsMartianSourceV4((uint)key.SourceLow) : AddressClasses.IsMartianSourceV6(key.SourceHigh, key.SourceLow))
        {
            return DropReason.MartianSource;
        }

        if (!taken.Admits(key.Source))
        {
            return DropReason.TunnelSource;
        }

        if (headers.Fragment != FragmentKind.None)
        {
            return DropReason.TunnelFragment;
        }

        ReadOnlySpan<byte> frame = batch.Frame(i);
        PacketMarks marks = batch.Marks[i];
        bool isOuterUnfinished = (marks & PacketMarks.Unfinished) != 0 && batch.Offloads[i].TransportAt == batch.Offsets[i] + headers.TransportOffset;
        if (isOuterUnfinished)
        {
            if ((marks & PacketMarks.SuperFrame) != 0)
            {
                return DropReason.BadOffload;
            }

            // What the sender has left to be finished is a checksum that nobody needs any more.
            batch.Marks[i] &= ~PacketMarks.Unfinished;
        }

        if (kind == TunnelKinds.Gue)
        {
            ReadOnlySpan<byte> udp = frame.Slice(start, Math.Min(end - start, BinaryPrimitives.ReadUInt16BigEndian(frame[(start + 4)..])));
            if (BinaryPrimitives.ReadUInt16BigEndian(udp[6..]) != 0 && (marks & PacketMarks.Unfinished) == 0
                && !InternetChecksum.Verify(udp, InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Udp, (uint)udp.Length)))
            {
                return DropReason.TunnelMalformed;
            }

            (start, end) = (start + UdpBytes, start + udp.Length);
        }

        int version = end > start ? frame[start] >> 4 : 0;
        bool fits = kind == TunnelKinds.Gue ? version is 4 or 6 : version == (headers.Protocol == IpProtocols.Ipv4 ? 4 : 6);
        return fits ? DropReason.None : DropReason.TunnelMalformed;
    }

    /// <summary>Says inside that there was congestion outside.</summary>
    /// <returns>False when the sender does not understand it: then the loss of the packet tells it.</returns>
    private static bool TryMarkCongestion(PacketBatch batch, int i)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        if ((headers.Tos & Congested) == 0)
        {
            return false;
        }

        Span<byte> packet = batch.Frame(i)[headers.NetworkOffset..];
        if (headers.IpVersion == 4)
        {
            ushort before = BinaryPrimitives.ReadUInt16BigEndian(packet), after = (ushort)(before | Congested);
            BinaryPrimitives.WriteUInt16BigEndian(packet, after);
            BinaryPrimitives.WriteUInt16BigEndian(packet[10..],
                InternetChecksum.Adjust(BinaryPrimitives.ReadUInt16BigEndian(packet[10..]), InternetChecksum.Delta(before, after)));
        }
        else
        {
            packet[1] |= Congested << 4;
        }

        headers.Tos |= Congested;
        return true;
    }

    private static void Explain(WorkerContext context, PacketBatch batch, int i, TunnelKinds kind, IpAddress source, IpAddress address)
    {
        bool isOut = batch.Verdicts[i] == Verdict.Continue;
        string inside = isOut ? $", inside is {batch.Parsed[i].Key}" : "";
        context.Trace!.Add(batch, "decapsulate", isOut ? "taken_out" : batch.Reasons[i].ToName(), $"{kind.ToString().ToLowerInvariant()} from {source} to {address}{inside}",
            ("kind", kind.ToString().ToLowerInvariant()), ("outer_source", source.ToString()), ("outer_destination", address.ToString()));
    }
}
