using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;

namespace Dataplane.Routing;

/// <summary>Makes ICMP errors about packets that are dropped (RFC 792, RFC 1812 4.3.2, RFC 4443).</summary>
/// <remarks>Source quench is never sent (RFC 6633), nor redirects. Errors are limited by a token bucket; what it refuses is counted.</remarks>
internal static class IcmpErrors
{
    /// <summary>An IPv4 error carries as much of the packet as fits in 576 bytes (RFC 1812 4.3.2.3).</summary>
    private const int MaxV4Bytes = 576;

    /// <summary>An IPv6 error carries as much as fits in the minimum MTU (RFC 4443 2.4 c).</summary>
    private const int MaxV6Bytes = 1280;

    private const int IcmpHeader = 8;

    /// <summary>TTL or hop limit used up.</summary>
    public static void SendTimeExceeded(WorkerContext context, PacketBatch batch, int i) => Send(context, batch, i, (11, 0), (3, 0), 0);

    /// <summary>No route.</summary>
    public static void SendNoRoute(WorkerContext context, PacketBatch batch, int i) => Send(context, batch, i, (3, 0), (1, 0), 0);

    /// <summary>Refused by a route.</summary>
    public static void SendUnreachable(WorkerContext context, PacketBatch batch, int i) => Send(context, batch, i, (3, 1), (1, 0), 0);

    /// <summary>Refused by policy.</summary>
    public static void SendProhibited(WorkerContext context, PacketBatch batch, int i) => Send(context, batch, i, (3, 13), (1, 1), 0);

    /// <summary>Nobody has the address, on a link where everybody is known.</summary>
    public static void SendHostUnreachable(WorkerContext context, PacketBatch batch, int i) => Send(context, batch, i, (3, 1), (1, 3), 0);

    /// <summary>Longer than the way out.</summary>
    public static void SendTooBig(WorkerContext context, PacketBatch batch, int i, int mtu) => Send(context, batch, i, (3, 4), (2, 0), (uint)mtu);

    /// <summary>Nothing listens at the port of one of our addresses.</summary>
    public static void SendPortUnreachable(WorkerContext context, PacketBatch batch, int i) => Send(context, batch, i, (3, 3), (1, 4), 0);

    /// <summary>Nothing speaks the protocol at one of our addresses; for IPv6 "unrecognized next header", pointing at where it stands. Over IPv4 the word is unused (RFC 792).</summary>
    public static void SendProtocolUnreachable(WorkerContext context, PacketBatch batch, int i) =>
        Send(context, batch, i, (3, 2), (4, 1), batch.Parsed[i].Headers.IpVersion == 4 ? 0 : (uint)Ipv6View.Field.NextHeader);

    /// <summary>A source route of IPv4 that leads through a translation to IPv6, where there is none (RFC 7915 4.1).</summary>
    public static void SendSourceRouteFailed(WorkerContext context, PacketBatch batch, int i) => Send(context, batch, i, (3, 5), (1, 0), 0);

    /// <summary>A routing header that we cannot carry out: "erroneous header field", pointing at its type.</summary>
    public static void SendUnknownRouting(WorkerContext context, PacketBatch batch, int i)
    {
        const int RoutingType = 2;
        SendAboutRouting(context, batch, i, RoutingType);
    }

    /// <summary>A routing header that leads through a translation to IPv4: "erroneous header field", pointing at how many are left (RFC 7915 5.1).</summary>
    public static void SendRoutingNotTranslated(WorkerContext context, PacketBatch batch, int i)
    {
        const int SegmentsLeft = 3;
        SendAboutRouting(context, batch, i, SegmentsLeft);
    }

    private static void SendAboutRouting(WorkerContext context, PacketBatch batch, int i, int field)
    {
        // The parser has walked the same way and found it sound.
        ReadOnlySpan<byte> packet = batch.Frame(i)[batch.Parsed[i].Headers.NetworkOffset..batch.Parsed[i].Headers.EndOffset];
        int at = 40;
        byte next = packet[6];
        while (next != IpProtocols.Routing || packet[at + 3] == 0)
        {
            int length = next switch
            {
                IpProtocols.Fragment => 8,
                IpProtocols.Authentication => (packet[at + 1] + 2) << 2,
                _ => (packet[at + 1] + 1) << 3,
            };
            next = packet[at];
            at += length;
        }

        Send(context, batch, i, (12, 0), (4, 0), (uint)(at + field));
    }

    /// <summary>Host or address unreachable, about a packet that had been held in vain.</summary>
    public static void SendAboutHeld(WorkerContext context, ReadOnlySpan<byte> frame, ushort port, PacketMarks marks)
    {
        PacketHeaders headers = default;
        FlowKey key = default;
        if (PacketParser.Parse(frame, ref headers, ref key) != DropReason.None)
        {
            return;
        }

        int received = context.Tables.InterfaceMap.Find(port, headers.VlanId);
        if (received >= 0)
        {
            Send(context, frame, in headers, in key, marks, context.Tables.Interfaces[received], (3, 1), (1, 3), 0);
        }
    }

    /// <summary>About a packet of which only the beginning is there, quoted by another: too big, or where <paramref name="mtu"/> is 0, host unreachable.</summary>
    public static void SendAboutQuoted(WorkerContext context, ReadOnlySpan<byte> frame, in PacketHeaders headers, in FlowKey key, L3Interface received, int mtu) =>
        Send(context, frame, in headers, in key, PacketMarks.None, received, mtu > 0 ? ((byte)3, (byte)4) : ((byte)3, (byte)1),
            mtu > 0 ? ((byte)2, (byte)0) : ((byte)1, (byte)3), (uint)mtu);

    private static void Send(WorkerContext context, PacketBatch batch, int i, (byte Type, byte Code) v4, (byte Type, byte Code) v6, uint rest)
    {
        int received = batch.InInterfaces[i];
        if (received >= 0)
        {
            Send(context, batch.Frame(i), in batch.Parsed[i].Headers, in batch.Parsed[i].Key, batch.Marks[i], context.Tables.Interfaces[received], v4, v6, rest);
        }
    }

    private static void Send(WorkerContext context, ReadOnlySpan<byte> frame, in PacketHeaders headers, in FlowKey key, PacketMarks marks,
        L3Interface received, (byte Type, byte Code) v4, (byte Type, byte Code) v6, uint rest)
    {
        ReadOnlySpan<byte> packet = frame[headers.NetworkOffset..headers.EndOffset];
        if (!MayAnswer(packet, in headers, marks) || !context.IcmpLimit.TryTake(context.NowNs))
        {
            return;
        }

        bool isV4 = headers.IpVersion == 4;
        IpAddress source = received.SourceFor(key.Source);
        if (source.IsNone)
        {
            source = context.Tables.AnyAddress(isV4);
        }

        if (source.IsNone)
        {
            return;
        }

        int ipHeader = isV4 ? 20 : 40;
        int quoted = Math.Min(packet.Length, (isV4 ? MaxV4Bytes : MaxV6Bytes) - ipHeader - IcmpHeader);
        int link = received.LinkHeaderBytes;
        int index = context.Originated.Add(link + ipHeader + IcmpHeader + quoted);
        if (index < 0)
        {
            return;
        }

        PacketBatch made = context.Originated.Batch;
        Span<byte> target = made.Frame(index);
        Span<byte> message = target[(link + ipHeader)..];
        (message[0], message[1]) = isV4 ? v4 : v6;
        BinaryPrimitives.WriteUInt32BigEndian(message[4..], rest);
        packet[..quoted].CopyTo(message[IcmpHeader..]);
        WriteIpAndChecksum(target[link..], message, source, key.Source, isV4);
        LinkHeader.Write(target, 0, received, isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
        LocalOrigin.Prepare(context, index, received, source, key.Source, isV4 ? IpProtocols.Icmp : IpProtocols.Icmpv6);
    }

    private static void WriteIpAndChecksum(Span<byte> packet, Span<byte> message, IpAddress source, IpAddress destination, bool isV4)
    {
        if (isV4)
        {
            // Precedence 6, internetwork control (RFC 1812 4.3.2.5).
            Ipv4Writer.WriteHeader(packet, source, destination, IpProtocols.Icmp, 64, 0xC0, message.Length);
            BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Compute(message));
        }
        else
        {
            Ipv6Writer.WriteHeader(packet, source, destination, IpProtocols.Icmpv6, 64, message.Length);
            uint pseudo = InternetChecksum.PseudoHeader(source, destination, IpProtocols.Icmpv6, (uint)message.Length);
            BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Compute(message, pseudo));
        }
    }

    /// <summary>Never about an ICMP error, a later fragment, a broadcast, or a packet of our own (RFC 1812 4.3.2.7, RFC 4443 2.4 e).</summary>
    private static bool MayAnswer(ReadOnlySpan<byte> packet, in PacketHeaders headers, PacketMarks marks)
    {
        if ((marks & (PacketMarks.LocalOrigin | PacketMarks.LinkBroadcast)) != 0 || headers.Fragment == FragmentKind.Later)
        {
            return false;
        }

        int transport = headers.TransportOffset - headers.NetworkOffset;
        if (headers.IpVersion == 4)
        {
            return headers.Protocol != IpProtocols.Icmp || (transport > 0 && packet[transport] is 0 or 8 or (>= 13 and <= 18));
        }

        return headers.Protocol != IpProtocols.Icmpv6 || (transport > 0 && packet[transport] >= 128);
    }
}
