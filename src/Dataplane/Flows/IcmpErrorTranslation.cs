using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Flows;

/// <summary>ICMP errors about packets of translated flows, translated as those were (RFC 5508 4): path MTU discovery depends on it.</summary>
/// <remarks>
/// The error quotes a packet we sent; turned around, the quoted addresses are the key of the direction the error itself travels in.
/// Its entry says what the outer addresses become, and turned around again, what the quoted ones do.
/// </remarks>
internal static class IcmpErrorTranslation
{
    private const int IcmpHeader = 8;

    /// <summary>The key, in the direction in which the error itself travels, of the flow that a packet is an ICMP error about.</summary>
    /// <returns>False for any other packet.</returns>
    public static bool TryReadFlow(PacketBatch batch, int i, out FlowKey about) => TryReadFlow(batch, i, out about, out _);

    /// <summary>The same, and of a TCP segment that is quoted the sequence number.</summary>
    public static bool TryReadFlow(PacketBatch batch, int i, out FlowKey about, out uint sequence)
    {
        about = default;
        sequence = 0;
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        bool isV4 = headers.IpVersion == 4;
        if (headers.Protocol != (isV4 ? IpProtocols.Icmp : IpProtocols.Icmpv6) || headers.TransportOffset == 0 || headers.Fragment != FragmentKind.None)
        {
            return false;
        }

        ReadOnlySpan<byte> message = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        if (!IsError(message[0], isV4) || !QuotedPacket.TryRead(message[IcmpHeader..], isV4, out QuotedPacket inner))
        {
            return false;
        }

        about = inner.Key.Reversed();
        sequence = inner.SequenceIn(message[IcmpHeader..]);
        return true;
    }

    /// <summary>Translates the packet if it is an ICMP error about a flow; any other is left alone.</summary>
    public static void Process<TTracing>(WorkerContext context, PacketBatch batch, int i)
        where TTracing : struct, ITracing
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        Span<byte> frame = batch.Frame(i);
        Span<byte> message = frame[headers.TransportOffset..headers.EndOffset];
        bool isV4 = headers.IpVersion == 4;
        if (!IsError(message[0], isV4) || headers.Fragment != FragmentKind.None)
        {
            return;
        }

        Span<byte> quoted = message[IcmpHeader..];
        if (!QuotedPacket.TryRead(quoted, isV4, out QuotedPacket inner))
        {
            return;
        }

        // An error goes to who has sent what it quotes: one to somebody else is none of ours, and not to be led elsewhere.
        FlowKey turned = inner.Key.Reversed();
        ref readonly FlowKey outer = ref batch.Parsed[i].Key;
        int index = outer.DestinationHigh == turned.DestinationHigh && outer.DestinationLow == turned.DestinationLow
            ? context.Flows.Find(in turned, context.Hash.Of(in turned))
            : -1;
        if (index < 0)
        {
            return;
        }

        if (context.Flows[index].IsPlain)
        {
            if (context.Tables.IsDirect(in context.Flows[index]))
            {
                // To the backend that has the flow, which alone knows what the error is about.
                batch.Flows[i] = index;
                batch.Marks[i] = (batch.Marks[i] & ~PacketMarks.Switched) | PacketMarks.AboutFlow;
            }

            return;
        }

        uint pseudo = PseudoHeader(in batch.Parsed[i].Key, isV4, message.Length);
        if (!InternetChecksum.Verify(message, pseudo))
        {
            batch.Drop(i, DropReason.IcmpInvalid);
            return;
        }

        ref FlowEntry entry = ref context.Flows[index];
        batch.Marks[i] = (batch.Marks[i] & ~PacketMarks.Switched) | PacketMarks.AboutFlow;
        if (entry.ChangesFamily)
        {
            Nat64.FamilyErrors.Translate(context, batch, i, in entry, in inner);
            Explain<TTracing>(context, batch, i, in inner);
            return;
        }

        bool isHidden = !entry.IsForward && !context.Tables.Nat.IsEmpty && context.Tables.Nat.MayTranslate(PortOf(context, batch, i), outer.Source);
        Translate(ref batch.Parsed[i].Key, in entry, isHidden, frame[headers.NetworkOffset..], message, quoted, in inner, isV4);
        Explain<TTracing>(context, batch, i, in inner);
    }

    private static void Explain<TTracing>(WorkerContext context, PacketBatch batch, int i, in QuotedPacket inner)
        where TTracing : struct, ITracing
    {
        if (TTracing.IsOn)
        {
            string outcome = batch.Verdicts[i] == Verdict.Drop ? batch.Reasons[i].ToName() : "icmp_error";
            context.Trace!.Add(batch, "flow", outcome, $"ICMP error about {inner.Key}, {(batch.Verdicts[i] == Verdict.Drop ? "which the other family has none like"
                : $"translated to {batch.Parsed[i].Key.Destination}")}", ("quoted", inner.Key.ToString()), ("new_destination", batch.Parsed[i].Key.Destination.ToString()));
        }
    }

    private static ushort PortOf(WorkerContext context, PacketBatch batch, int i) =>
        batch.InInterfaces[i] is >= 0 and short came ? context.Tables.Interfaces[came].Port : batch.Port.Value;

    private static void Translate(ref FlowKey outer, in FlowEntry entry, bool isHidden, Span<byte> network, Span<byte> message, Span<byte> quoted,
        in QuotedPacket inner, bool isV4)
    {
        // A router on the way is no party of the flow: its own address stays, unless it is one of the inside, which nobody outside shall see.
        IpAddress source = outer.Source == entry.Key.Source || entry.IsSourceTranslated || isHidden ? entry.NewSource : outer.Source;
        IpAddress destination = entry.NewDestination;
        inner.Rewrite(quoted, entry.NewDestination, (ushort)entry.NewPorts, entry.NewSource, (ushort)(entry.NewPorts >> 16));
        if (isV4)
        {
            source.Write(network[12..]);
            destination.Write(network[16..]);
            int header = (network[0] & 0x0F) << 2;
            BinaryPrimitives.WriteUInt16BigEndian(network[10..], 0);
            BinaryPrimitives.WriteUInt16BigEndian(network[10..], InternetChecksum.Compute(network[..header]));
        }
        else
        {
            source.Write(network[8..]);
            destination.Write(network[24..]);
        }

        outer = FlowKey.Create(source, 0, destination, 0, outer.Protocol);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Compute(message, PseudoHeader(in outer, isV4, message.Length)));
    }

    private static uint PseudoHeader(in FlowKey key, bool isV4, int length) =>
        isV4 ? 0 : InternetChecksum.PseudoHeader(key.Source, key.Destination, IpProtocols.Icmpv6, (uint)length);

    /// <summary>Unreachable, source quench, time exceeded, parameter problem; for ICMPv6 also too big. Not redirects.</summary>
    private static bool IsError(byte type, bool isV4) => isV4 ? type is 3 or 4 or 11 or 12 : type is >= 1 and <= 4;
}
