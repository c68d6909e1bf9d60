using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.Switching;

/// <summary>ARP from endpoints (RFC 826, RFC 5227): answered from what is known, for gateway and endpoints alike, and never passed on.</summary>
internal static class StationArp
{
    private const int MessageBytes = 28;
    private const ulong EthernetIpv4 = 0x0001_0800_0604;

    /// <summary>Takes in a message; a request for an address of the network becomes the reply in place.</summary>
    public static void Handle(WorkerContext context, PacketBatch batch, int i, Station station)
    {
        int network = batch.Parsed[i].Headers.NetworkOffset;
        Span<byte> frame = batch.Frame(i);
        if (frame.Length < network + MessageBytes || BinaryPrimitives.ReadUInt64BigEndian(frame[network..]) >> 16 != EthernetIpv4)
        {
            batch.Drop(i, DropReason.MalformedArp);
            return;
        }

        Span<byte> message = frame.Slice(network, MessageBytes);
        int operation = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        ulong senderMac = BinaryPrimitives.ReadUInt64BigEndian(message[8..]) >> 16;
        uint sender = BinaryPrimitives.ReadUInt32BigEndian(message[14..]), target = BinaryPrimitives.ReadUInt32BigEndian(message[24..]);
        if (operation is not (1 or 2))
        {
            batch.Drop(i, DropReason.MalformedArp);
        }
        else if (senderMac != station.Mac || (sender != 0 && !station.HasV4(sender)))
        {
            station.Counters.Spoofed++;
            batch.Drop(i, DropReason.SpoofedNeighbour);
        }
        else if (operation == 2 || target == sender)
        {
            // A reply nobody has asked for, or an announcement: all that it could say is known (RFC 5227 2.3).
            batch.Drop(i, DropReason.ConsumedArp);
        }
        else if (StationAnswers.MacOf(context, station, IpAddress.FromV4(target)) is not 0 and ulong mac)
        {
            Reply(batch, i, network, mac);
        }
        else
        {
            batch.Drop(i, DropReason.NeighbourNotForUs);
        }
    }

    private static void Reply(PacketBatch batch, int i, int network, ulong mac)
    {
        Span<byte> frame = batch.Frame(i);
        Span<byte> message = frame.Slice(network, MessageBytes);
        uint asked = BinaryPrimitives.ReadUInt32BigEndian(message[24..]);
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], 2);
        message[8..18].CopyTo(message[18..]);
        new MacAddress(mac).Write(message[8..]);
        BinaryPrimitives.WriteUInt32BigEndian(message[14..], asked);
        frame[6..12].CopyTo(frame);
        new MacAddress(mac).Write(frame[6..]);
        batch.Marks[i] |= PacketMarks.LocalOrigin;
        batch.Transmit(i, batch.Port);
    }
}
