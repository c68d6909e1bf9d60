using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Rewriting;
using Dataplane.Routing;

namespace Dataplane.Nat64;

/// <summary>Cuts IPv6 packets that were IPv4 and that their senders let be fragmented (RFC 7915 4). Packets that came as IPv6 are fragmented by their senders only.</summary>
/// <remarks>The frame itself becomes the first fragment; the others are packets the engine originates, as with IPv4.</remarks>
internal static class Ipv6Fragmenter
{
    private const int FirstBytes = OtherFamily.V6Header + OtherFamily.FragmentHeader;

    /// <summary>Cuts a rewritten frame.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="link">Bytes of its link header.</param>
    /// <param name="way">The interface it leaves by.</param>
    /// <param name="mtu">Bytes of the longest piece.</param>
    /// <param name="identification">Number that the fragments have in common.</param>
    public static void Split(WorkerContext context, PacketBatch batch, int i, int link, L3Interface way, int mtu, uint identification)
    {
        if ((batch.Marks[i] & PacketMarks.SuperFrame) != 0)
        {
            // TCP may be cut anywhere; UDP datagrams that are longer than every link carries, but not than this one, stay what they are.
            batch.Offloads[i].SegmentBytes = batch.Parsed[i].Headers.Protocol == IpProtocols.Tcp
                ? (ushort)(mtu - batch.Offloads[i].HeaderBytes) : batch.Offloads[i].SegmentBytes;
            return;
        }

        if ((batch.Marks[i] & PacketMarks.Unfinished) != 0)
        {
            UnfinishedChecksums.Complete(batch, i);
        }

        byte protocol = MakeRoom(batch, i, link, out int offset, out bool hasMore, ref identification);
        Span<byte> frame = batch.Frame(i);
        int payload = frame.Length - link - FirstBytes, step = (mtu - FirstBytes) & ~7, pieces = (payload - 1) / step;
        OriginatedPackets originated = context.Originated;
        if (step <= 0 || originated.Batch.Count + pieces > PacketBatch.Capacity || link + mtu > originated.MaxFrameBytes)
        {
            batch.Drop(i, DropReason.NoBuffer);
            return;
        }

        for (int at = step; at < payload; at += step)
        {
            int length = Math.Min(step, payload - at);
            int index = originated.Add(link + FirstBytes + length);
            Span<byte> made = originated.Batch.Frame(index);
            frame[..(link + OtherFamily.V6Header)].CopyTo(made);
            frame.Slice(link + FirstBytes + at, length).CopyTo(made[(link + FirstBytes)..]);
            Finish(made[link..], protocol, offset + at, hasMore || at + length < payload, identification);
            originated.Batch.Parsed[index].Headers = new PacketHeaders { EtherType = EtherTypes.Ipv6, NetworkOffset = (ushort)link, IpVersion = 6 };
            originated.Batch.Transmit(index, new PortId(way.Port));
        }

        batch.Lengths[i] = link + FirstBytes + Math.Min(step, payload);
        Finish(batch.Frame(i)[link..], protocol, offset, hasMore || payload > step, identification);
    }

    /// <summary>Makes room for a fragment header, unless the packet is a fragment already, whose place the pieces count from.</summary>
    private static byte MakeRoom(PacketBatch batch, int i, int link, out int offset, out bool hasMore, ref uint identification)
    {
        Span<byte> packet = batch.Frame(i)[link..];
        byte protocol = packet[6];
        if (protocol == IpProtocols.Fragment)
        {
            ReadOnlySpan<byte> header = packet[OtherFamily.V6Header..];
            int place = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
            (offset, hasMore, identification) = (place & 0xFFF8, (place & 1) != 0, BinaryPrimitives.ReadUInt32BigEndian(header[4..]));
            return header[0];
        }

        (offset, hasMore) = (0, false);
        int from = batch.Offsets[i], to = from - OtherFamily.FragmentHeader;
        batch.Memory.Slice(from, link + OtherFamily.V6Header).CopyTo(batch.Memory[to..]);
        (batch.Offsets[i], batch.Lengths[i]) = (to, batch.Lengths[i] + OtherFamily.FragmentHeader);
        return protocol;
    }

    private static void Finish(Span<byte> packet, byte protocol, int offset, bool hasMore, uint identification)
    {
        BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)(packet.Length - OtherFamily.V6Header));
        packet[6] = IpProtocols.Fragment;
        FamilyTranslation.WriteFragmentHeader(packet[OtherFamily.V6Header..], protocol, offset, hasMore, identification);
    }
}
