using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Rewriting;

namespace Dataplane.Tunnels;

/// <summary>Puts frames that stand as they leave into an outer header: the link header moves before it.</summary>
/// <remarks>The room is there: every port keeps 64 bytes before each frame, of which a longer header takes 48. Cost: one header line more is written; the
/// payload is read only where a checksum covers it that nothing else gives (UDP over IPv6 around fragments and what has no checksum of its own).</remarks>
internal static class Encapsulator
{
    /// <summary>Encloses a packet that has been rewritten, and the fragments that it was split into.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="link">Bytes of its link header.</param>
    /// <param name="entry">Its flow.</param>
    /// <param name="made">Packets that had been originated before it was split.</param>
    [MethodImpl(MethodImplOptions.NoInlining)] // Not for most packets: the loop it is called from needs the registers.
    public static void Enclose(WorkerContext context, PacketBatch batch, int i, int link, in FlowEntry entry, int made)
    {
        if (batch.Verdicts[i] != Verdict.Transmit)
        {
            return;
        }

        OuterHeader outer = context.Tables.Outers[entry.Backend]!;
        if ((batch.Marks[i] & (PacketMarks.Unfinished | PacketMarks.SuperFrame)) == PacketMarks.Unfinished)
        {
            // Who finishes checksums knows nothing of packets inside packets.
            UnfinishedChecksums.Complete(batch, i);
        }

        PacketBatch originated = context.Originated.Batch;
        bool isSplit = originated.Count > made;
        Enclose(batch, i, link, outer, entry.Hash, isSplit ? 0 : TransportOf(batch, i));
        for (int k = made; k < originated.Count; k++)
        {
            Enclose(originated, k, link, outer, entry.Hash, 0);
        }
    }

    /// <summary>Cuts a super-frame that has been enclosed: encloses each of its segments.</summary>
    /// <param name="frame">The segment, with room for the outer header before its link header.</param>
    /// <param name="prefix">Link header and outer header of the super-frame.</param>
    /// <param name="link">Bytes of the link header.</param>
    public static void EncloseSegment(Span<byte> frame, ReadOnlySpan<byte> prefix, int link)
    {
        prefix.CopyTo(frame);
        Span<byte> packet = frame[link..];
        int outerBytes = prefix.Length - link;
        ReadOnlySpan<byte> inner = packet[outerBytes..];
        int header = inner[0] >> 4 == 4 ? 20 : 40;
        bool isPlain = header == 40 ? inner[6] is IpProtocols.Tcp or IpProtocols.Udp : inner[0] == 0x45;
        bool hasChecksum = isPlain && (inner[header == 40 ? 6 : 9] == IpProtocols.Tcp || BinaryPrimitives.ReadUInt16BigEndian(inner[(header + 6)..]) != 0);
        OuterHeader.SetLength(packet, outerBytes, hasChecksum ? header : 0);
    }

    private static void Enclose(PacketBatch batch, int i, int link, OuterHeader outer, uint entropy, int transport)
    {
        int from = batch.Offsets[i], to = from - outer.Bytes;
        Span<byte> frame = batch.Memory.Slice(to, batch.Lengths[i] + outer.Bytes);
        frame.Slice(outer.Bytes, link).CopyTo(frame);
        BinaryPrimitives.WriteUInt16BigEndian(frame[(link - sizeof(ushort))..], outer.EtherType);
        outer.Write(frame[link..], entropy, transport);
        (batch.Offsets[i], batch.Lengths[i]) = (to, frame.Length);
        batch.Marks[i] |= PacketMarks.Enclosed;
    }

    /// <summary>Where the transport header of a whole TCP or UDP packet begins, without options that change what its checksum covers; 0 for all others.</summary>
    private static int TransportOf(PacketBatch batch, int i)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        int transport = headers.TransportOffset - headers.NetworkOffset;
        if ((batch.Marks[i] & PacketMarks.SuperFrame) != 0)
        {
            // Lengths and checksums are those of its segments, later.
            return transport;
        }

        if (headers.Fragment != FragmentKind.None || transport != (headers.IpVersion == 4 ? 20 : 40))
        {
            return 0;
        }

        ReadOnlySpan<byte> segment = batch.Frame(i)[^(headers.EndOffset - headers.TransportOffset)..];
        return headers.Protocol switch
        {
            IpProtocols.Tcp => transport,
            IpProtocols.Udp when BinaryPrimitives.ReadUInt16BigEndian(segment[6..]) != 0 && BinaryPrimitives.ReadUInt16BigEndian(segment[4..]) == segment.Length => transport,
            _ => 0,
        };
    }
}
