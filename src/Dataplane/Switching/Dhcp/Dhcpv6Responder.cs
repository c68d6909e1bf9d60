using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;
using Dataplane.Routing;

namespace Dataplane.Switching.Dhcp;

/// <summary>The server's side of RFC 8415, for a client whose addresses were settled when it was attached: stateful (IA_NA) and stateless. No prefixes are delegated, nothing is relayed.</summary>
internal static class Dhcpv6Responder
{
    private const int UdpHeader = 8, Ipv6Header = 40, HopLimit = 255;

    /// <summary>Takes in a message and answers it, if it wants an answer.</summary>
    public static DropReason Respond(WorkerContext context, PacketBatch batch, int i, Station station, Dhcpv6Offer offer)
    {
        if (!DhcpDatagram.TryRead(batch, i, out ReadOnlySpan<byte> message) || !Dhcpv6Request.TryParse(message, out Dhcpv6Request request))
        {
            return DropReason.DhcpInvalid;
        }

        // Who has chosen another server is left alone; who asks whether its addresses are right, and names none, hears nothing.
        bool isForUs = request.Server.Length == 0 || request.Server.SequenceEqual(offer.Server);
        if (isForUs && (request.Kind != Dhcpv6Wire.Kind.Confirm || request.HasAssociations) && !Send(context, station, offer, in request, batch.Parsed[i].Key.Source))
        {
            return DropReason.NoBuffer;
        }

        station.Counters.DhcpMessages++;
        return DropReason.ConsumedDhcp;
    }

    private static bool Send(WorkerContext context, Station station, Dhcpv6Offer offer, in Dhcpv6Request request, IpAddress to)
    {
        byte kind = request.Kind == Dhcpv6Wire.Kind.Solicit ? Dhcpv6Wire.Kind.Advertise : Dhcpv6Wire.Kind.Reply;
        var measured = new Dhcpv6Answer(default);
        measured.Write(in request, offer, station.OfferedAddresses6, kind);
        L3Interface entry = station.Interface;
        int link = entry.LinkHeaderBytes, header = link + Ipv6Header + UdpHeader;
        int index = context.Originated.Add(header + measured.Length);
        if (index < 0)
        {
            return false;
        }

        PacketBatch batch = context.Originated.Batch;
        Span<byte> frame = batch.Frame(index);
        var answer = new Dhcpv6Answer(frame[header..]);
        answer.Write(in request, offer, station.OfferedAddresses6, kind);
        Span<byte> datagram = frame.Slice(link + Ipv6Header, UdpHeader + measured.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram, Dhcpv6Wire.ServerPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[2..], Dhcpv6Wire.ClientPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[4..], (ushort)datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[6..], 0);
        uint pseudo = InternetChecksum.PseudoHeader(entry.LinkLocal, to, IpProtocols.Udp, (uint)datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[6..], InternetChecksum.ZeroAsOnes(InternetChecksum.Compute(datagram, pseudo)));
        Ipv6Writer.WriteHeader(frame[link..], entry.LinkLocal, to, IpProtocols.Udp, HopLimit, datagram.Length);
        LinkHeader.Write(frame, station.Mac, entry, EtherTypes.Ipv6);
        batch.Parsed[index].Headers = new PacketHeaders { EtherType = EtherTypes.Ipv6, NetworkOffset = (ushort)link, IpVersion = 6 };
        batch.Transmit(index, new Ports.PortId(entry.Port));
        return true;
    }
}
