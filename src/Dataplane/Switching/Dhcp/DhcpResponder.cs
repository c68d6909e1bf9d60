using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;

namespace Dataplane.Switching.Dhcp;

/// <summary>The server's side of RFC 2131, for a client whose address was settled when it was attached.</summary>
internal static class DhcpResponder
{
    private const int UdpHeader = 8, Ipv4Header = 20;

    /// <summary>Takes in a message and answers it, if it wants an answer.</summary>
    public static DropReason Respond(WorkerContext context, PacketBatch batch, int i, Station station, DhcpOffer offer)
    {
        if (!DhcpDatagram.TryRead(batch, i, out ReadOnlySpan<byte> message) || !DhcpRequest.TryParse(message, out DhcpRequest request) || request.Mac != station.Mac)
        {
            return DropReason.DhcpInvalid;
        }

        uint own = station.OfferedAddress;
        byte answer = request.Kind switch
        {
            DhcpWire.Kind.Discover => DhcpWire.Kind.Offer,
            DhcpWire.Kind.Request => AnswerTo(in request, own, offer.Server),
            DhcpWire.Kind.Inform => request.Client == own ? DhcpWire.Kind.Ack : (byte)0,

            // The address is the endpoint's whether it wants it or not.
            DhcpWire.Kind.Release or DhcpWire.Kind.Decline => 0,
            _ => byte.MaxValue,
        };
        if (answer == byte.MaxValue || (request.Kind == DhcpWire.Kind.Inform && answer == 0))
        {
            return DropReason.DhcpInvalid;
        }

        if (answer != 0 && !Send(context, station, offer, in request, answer))
        {
            return DropReason.NoBuffer;
        }

        station.Counters.DhcpMessages++;
        return DropReason.ConsumedDhcp;
    }

    /// <summary>RFC 2131 4.3.2: who has chosen another server is left alone, who wants another address than its own hears no.</summary>
    private static byte AnswerTo(in DhcpRequest request, uint own, uint server)
    {
        if (request.Server is { } chosen)
        {
            return chosen != server ? (byte)0 : request.Requested == own ? DhcpWire.Kind.Ack : DhcpWire.Kind.Nak;
        }

        // After a restart it asks for what it had, else it names what it uses; one of the two.
        uint wanted = request.Requested ?? request.Client;
        return wanted == 0 ? byte.MaxValue : wanted == own ? DhcpWire.Kind.Ack : DhcpWire.Kind.Nak;
    }

    private static bool Send(WorkerContext context, Station station, DhcpOffer offer, in DhcpRequest request, byte kind)
    {
        L3Interface entry = station.Interface;
        int link = entry.LinkHeaderBytes, header = link + Ipv4Header + UdpHeader;
        bool isNo = kind == DhcpWire.Kind.Nak, isInform = request.Kind == DhcpWire.Kind.Inform;
        int options = 3 + 6 + (isNo || isInform ? 0 : 6) + (request.Identifier.Length == 0 ? 0 : 2 + request.Identifier.Length) + (isNo ? 0 : offer.Options.Length) + 1;
        int bytes = Math.Max(DhcpWire.LeastBytes, DhcpWire.FixedBytes + options);
        int index = context.Originated.Add(header + bytes);
        if (index < 0)
        {
            return false;
        }

        // RFC 2131 4.1: to the address it uses, else to all if it asks for that, else to the address it is about to have, which its hardware address is known of.
        uint to = isNo ? uint.MaxValue : request.Client != 0 ? request.Client : (request.Flags & DhcpWire.FlagBroadcast) != 0 ? uint.MaxValue : station.OfferedAddress;
        Span<byte> frame = context.Originated.Batch.Frame(index);
        WriteMessage(frame[header..], station, offer, in request, kind);
        WriteHeaders(frame, link, IpAddress.FromV4(offer.Server), IpAddress.FromV4(to), bytes);
        LinkHeader.Write(frame, to == uint.MaxValue ? MacAddress.Broadcast.Bits : station.Mac, entry, EtherTypes.Ipv4);
        context.Originated.Batch.Parsed[index].Headers = new PacketHeaders { EtherType = EtherTypes.Ipv4, NetworkOffset = (ushort)link, IpVersion = 4 };
        context.Originated.Batch.Transmit(index, new Ports.PortId(entry.Port));
        return true;
    }

    private static void WriteHeaders(Span<byte> frame, int link, IpAddress source, IpAddress destination, int bytes)
    {
        Span<byte> datagram = frame.Slice(link + Ipv4Header, UdpHeader + bytes);
        BinaryPrimitives.WriteUInt16BigEndian(datagram, DhcpWire.ServerPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[2..], DhcpWire.ClientPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[4..], (ushort)datagram.Length);
        uint pseudo = InternetChecksum.PseudoHeader(source, destination, IpProtocols.Udp, (uint)datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[6..], InternetChecksum.ZeroAsOnes(InternetChecksum.Compute(datagram, pseudo)));
        Ipv4Writer.WriteHeader(frame[link..], source, destination, IpProtocols.Udp, 64, 0, datagram.Length);
    }

    /// <summary>The message into zeros (RFC 2131, table 3).</summary>
    private static void WriteMessage(Span<byte> message, Station station, DhcpOffer offer, in DhcpRequest request, byte kind)
    {
        bool isNo = kind == DhcpWire.Kind.Nak, isInform = request.Kind == DhcpWire.Kind.Inform;
        message[DhcpWire.Field.Operation] = DhcpWire.Reply;
        message[DhcpWire.Field.HardwareType] = DhcpWire.Ethernet;
        message[DhcpWire.Field.HardwareLength] = DhcpWire.MacBytes;
        request.Transaction.CopyTo(message[DhcpWire.Field.Transaction..]);
        BinaryPrimitives.WriteUInt16BigEndian(message[DhcpWire.Field.Flags..], request.Flags);
        if (!isNo && kind != DhcpWire.Kind.Offer)
        {
            BinaryPrimitives.WriteUInt32BigEndian(message[DhcpWire.Field.Client..], request.Client);
        }

        if (!isNo && !isInform)
        {
            BinaryPrimitives.WriteUInt32BigEndian(message[DhcpWire.Field.Yours..], station.OfferedAddress);
        }

        new MacAddress(station.Mac).Write(message[DhcpWire.Field.Mac..]);
        BinaryPrimitives.WriteUInt32BigEndian(message[DhcpWire.Field.Cookie..], DhcpWire.Cookie);
        Span<byte> rest = message[DhcpWire.FixedBytes..];
        rest = Write(rest, DhcpWire.Option.Kind, [kind]);
        rest = Write(rest, DhcpWire.Option.Server, offer.Server);
        if (!isNo && !isInform)
        {
            rest = Write(rest, DhcpWire.Option.Lease, offer.LeaseSeconds);
        }

        if (request.Identifier.Length > 0)
        {
            rest = Write(rest, DhcpWire.Option.ClientIdentifier, request.Identifier);
        }

        if (!isNo)
        {
            offer.Options.CopyTo(rest);
            rest = rest[offer.Options.Length..];
        }

        rest[0] = DhcpWire.Option.End;
    }

    private static Span<byte> Write(Span<byte> rest, byte option, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return Write(rest, option, bytes);
    }

    private static Span<byte> Write(Span<byte> rest, byte option, scoped ReadOnlySpan<byte> value)
    {
        rest[0] = option;
        rest[1] = (byte)value.Length;
        value.CopyTo(rest[2..]);
        return rest[(2 + value.Length)..];
    }
}
