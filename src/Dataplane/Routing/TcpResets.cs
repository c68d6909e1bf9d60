using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;

namespace Dataplane.Routing;

/// <summary>Answers TCP segments by a reset, as a host does that knows nothing of their connection (RFC 9293 3.5.2).</summary>
/// <remarks>The answer seems to come from whom the segment was sent to. It is never longer than what it answers, and a reset is never answered.</remarks>
internal static class TcpResets
{
    private const int TcpHeader = 20;
    private const byte Fin = 1, Syn = 2, Rst = 4, Ack = 16;

    /// <summary>Sends a reset to whoever sent the packet, a TCP segment that has passed the ingress; about fragments nothing is said.</summary>
    public static void Answer(WorkerContext context, PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        int came = batch.InInterfaces[i];
        if (came < 0 || headers.TransportOffset == 0 || headers.Fragment != FragmentKind.None || (headers.TcpFlags & Rst) != 0
            || (batch.Marks[i] & (PacketMarks.LocalOrigin | PacketMarks.LinkBroadcast)) != 0)
        {
            return;
        }

        L3Interface way = context.Tables.Interfaces[came];
        bool isV4 = headers.IpVersion == 4;
        int link = way.LinkHeaderBytes, ip = isV4 ? 20 : 40;
        ReadOnlySpan<byte> segment = batch.Frame(i)[headers.TransportOffset..headers.EndOffset];
        int index = context.Originated.Add(link + ip + TcpHeader);
        if (index < 0)
        {
            return;
        }

        FlowKey key = batch.Parsed[i].Key;
        Span<byte> target = context.Originated.Batch.Frame(index);
        Span<byte> tcp = target[(link + ip)..];
        Write(tcp, segment, headers.TcpFlags);
        uint pseudo = InternetChecksum.PseudoHeader(key.Destination, key.Source, IpProtocols.Tcp, TcpHeader);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], InternetChecksum.Compute(tcp, pseudo));
        if (isV4)
        {
            Ipv4Writer.WriteHeader(target[link..], key.Destination, key.Source, IpProtocols.Tcp, 64, 0, TcpHeader);
        }
        else
        {
            Ipv6Writer.WriteHeader(target[link..], key.Destination, key.Source, IpProtocols.Tcp, 64, TcpHeader);
        }

        LinkHeader.Write(target, 0, way, isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
        LocalOrigin.Prepare(context, index, way, key.Destination, key.Source, IpProtocols.Tcp);
    }

    private static void Write(Span<byte> tcp, ReadOnlySpan<byte> segment, byte flags)
    {
        segment[2..4].CopyTo(tcp);
        segment[..2].CopyTo(tcp[2..]);
        tcp[12] = (TcpHeader / 4) << 4;
        if ((flags & Ack) != 0)
        {
            // It takes its number from what the segment acknowledges, and so is acceptable to its sender.
            segment[8..12].CopyTo(tcp[4..]);
            tcp[13] = Rst;
            return;
        }

        int payload = Math.Max(0, segment.Length - ((segment[12] >> 4) * 4));
        uint next = BinaryPrimitives.ReadUInt32BigEndian(segment[4..]) + (uint)payload + ((flags & Syn) != 0 ? 1u : 0) + ((flags & Fin) != 0 ? 1u : 0);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[8..], next);
        tcp[13] = Rst | Ack;
    }
}
