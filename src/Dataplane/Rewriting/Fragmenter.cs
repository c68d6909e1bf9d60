using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Rewriting;

/// <summary>Splits IPv4 packets that are longer than the way out allows (RFC 791 3.2, RFC 1812 4.2.2.7).</summary>
/// <remarks>The frame itself becomes the first fragment; the others are packets the engine originates. Options without the copied bit go
/// into the first fragment only. A packet that is a fragment already is split further.</remarks>
internal static class Fragmenter
{
    private const int MinHeader = 20;
    private const int MaxHeader = 60;

    /// <summary>Splits a rewritten frame of which the packet is too long.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="link">Bytes of its link header.</param>
    /// <param name="way">The interface it leaves by.</param>
    /// <param name="mtu">Bytes of the longest piece: the interface's MTU, less an outer header.</param>
    public static void Split(WorkerContext context, PacketBatch batch, int i, int link, L3Interface way, int mtu)
    {
        if ((batch.Marks[i] & PacketMarks.SuperFrame) != 0)
        {
            // TCP may be cut anywhere, so smaller segments stand in for fragments; the route stage lets no UDP super-frame come here.
            batch.Offloads[i].SegmentBytes = (ushort)(mtu - batch.Offloads[i].HeaderBytes);
            return;
        }

        if ((batch.Marks[i] & PacketMarks.Unfinished) != 0)
        {
            UnfinishedChecksums.Complete(batch, i);
        }

        Span<byte> frame = batch.Frame(i);
        Span<byte> packet = frame[link..];
        int header = (packet[0] & 0x0F) << 2;
        int payload = packet.Length - header;
        int word = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);

        Span<byte> laterHeader = stackalloc byte[MaxHeader];
        int laterLength = WriteLaterHeader(packet[..header], laterHeader);
        int first = (mtu - header) & ~7;
        int step = (mtu - laterLength) & ~7;
        int needed = (payload - first + step - 1) / step;
        OriginatedPackets originated = context.Originated;
        if (first <= 0 || originated.Batch.Count + needed > PacketBatch.Capacity || link + mtu > originated.MaxFrameBytes)
        {
            batch.Drop(i, DropReason.NoBuffer);
            return;
        }

        for (int at = first; at < payload; at += step)
        {
            int length = Math.Min(step, payload - at);
            bool last = at + length == payload;
            int index = originated.Add(link + laterLength + length);
            Span<byte> made = originated.Batch.Frame(index);
            frame[..link].CopyTo(made);
            laterHeader[..laterLength].CopyTo(made[link..]);
            packet.Slice(header + at, length).CopyTo(made[(link + laterLength)..]);
            int madeWord = (word + (at >> 3)) | (last ? 0 : 0x2000);
            Finish(made[link..], laterLength, laterLength + length, madeWord);
            originated.Batch.Parsed[index].Headers = new PacketHeaders { EtherType = EtherTypes.Ipv4, NetworkOffset = (ushort)link, IpVersion = 4 };
            originated.Batch.Transmit(index, new PortId(way.Port));
        }

        batch.Lengths[i] = link + header + first;
        Finish(packet, header, header + first, word | 0x2000);
    }

    private static void Finish(Span<byte> packet, int header, int totalLength, int fragmentWord)
    {
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)totalLength);
        BinaryPrimitives.WriteUInt16BigEndian(packet[6..], (ushort)fragmentWord);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], InternetChecksum.Compute(packet[..header]));
    }

    /// <summary>The header of later fragments: the fixed part, and those options whose copied bit is set, padded to four bytes.</summary>
    private static int WriteLaterHeader(ReadOnlySpan<byte> header, Span<byte> target)
    {
        header[..MinHeader].CopyTo(target);
        int written = MinHeader;
        ReadOnlySpan<byte> options = header[MinHeader..];
        while (!options.IsEmpty && options[0] != 0)
        {
            int length = options[0] == 1 ? 1 : options.Length > 1 ? options[1] : 0;
            if (length == 0 || length > options.Length || (options[0] != 1 && length < 2))
            {
                break;
            }

            if ((options[0] & 0x80) != 0)
            {
                options[..length].CopyTo(target[written..]);
                written += length;
            }

            options = options[length..];
        }

        while ((written & 3) != 0)
        {
            target[written++] = 0;
        }

        target[0] = (byte)(0x40 | (written >> 2));
        return written;
    }
}
