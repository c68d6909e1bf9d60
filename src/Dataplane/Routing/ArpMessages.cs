using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;

namespace Dataplane.Routing;

/// <summary>ARP for IPv4 over Ethernet (RFC 826, RFC 5227): answers, learns, asks.</summary>
internal static class ArpMessages
{
    private const int MessageBytes = 28;
    private const ulong EthernetIpv4 = 0x0001_0800_0604;

    /// <summary>Takes in an ARP message; a request for one of our addresses becomes the reply in place.</summary>
    public static void Handle(WorkerContext context, PacketBatch batch, int i, L3Interface entry)
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
        IpAddress sender = IpAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(message[14..]));
        IpAddress target = IpAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(message[24..]));

        // A hardware address that is a group or zero, or a sender that claims our own address, must not get into the table.
        if (operation is not (1 or 2) || senderMac == 0 || (senderMac >> 40 & 1) != 0 || entry.Answered.Contains(sender))
        {
            batch.Drop(i, operation is 1 or 2 ? DropReason.BadNeighbourMessage : DropReason.MalformedArp);
            return;
        }

        bool forUs = entry.Answered.Contains(target);
        if (!sender.IsUnspecified && NeighbourStage.IsOnLink(entry, sender))
        {
            NeighbourStage.Learn(context, entry, sender, senderMac, solicited: operation == 2 && forUs, create: forUs && operation == 1);
        }

        if (!forUs)
        {
            batch.Drop(i, DropReason.NeighbourNotForUs);
        }
        else if (operation == 2)
        {
            batch.Drop(i, DropReason.ConsumedArp);
        }
        else
        {
            Reply(batch, i, entry, frame, message);
        }
    }

    /// <summary>Makes a request for an address; broadcast, or to the hardware address known before.</summary>
    public static void Ask(WorkerContext context, L3Interface entry, IpAddress target, ulong knownMac)
    {
        if (!entry.V4.IsIpv4)
        {
            return;
        }

        int link = entry.LinkHeaderBytes;
        int index = context.Originated.Add(link + MessageBytes);
        if (index < 0)
        {
            return;
        }

        PacketBatch batch = context.Originated.Batch;
        Span<byte> frame = batch.Frame(index);
        LinkHeader.Write(frame, knownMac == 0 ? MacAddress.Broadcast.Bits : knownMac, entry, EtherTypes.Arp);
        Span<byte> message = frame[link..];
        BinaryPrimitives.WriteUInt64BigEndian(message, (EthernetIpv4 << 16) | 1);
        entry.Mac.Write(message[8..]);
        BinaryPrimitives.WriteUInt32BigEndian(message[14..], (uint)NeighbourStage.SenderFor(entry, target).Low);
        BinaryPrimitives.WriteUInt32BigEndian(message[24..], (uint)target.Low);
        batch.Parsed[index].Headers.EtherType = EtherTypes.Arp;
        batch.Parsed[index].Headers.NetworkOffset = (ushort)link;
        batch.Transmit(index, new Ports.PortId(entry.Port));
    }

    private static void Reply(PacketBatch batch, int i, L3Interface entry, Span<byte> frame, Span<byte> message)
    {
        uint asked = BinaryPrimitives.ReadUInt32BigEndian(message[24..]);
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], 2);
        message[8..18].CopyTo(message[18..]);
        entry.Mac.Write(message[8..]);
        BinaryPrimitives.WriteUInt32BigEndian(message[14..], asked);
        frame[6..12].CopyTo(frame);
        entry.Mac.Write(frame[6..]);
        batch.Marks[i] |= PacketMarks.LocalOrigin;
        batch.Transmit(i, batch.Port);
    }
}
