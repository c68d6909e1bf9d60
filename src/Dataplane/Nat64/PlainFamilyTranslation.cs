using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Nat64;

/// <summary>Makes a packet one of the other family whose headers stand where they nearly always stand: no tag, no options, no extension headers, TCP or UDP (RFC 7915 4.1 and 5.1).</summary>
/// <remarks>Nothing of the old header is needed but what the parser has read; the transport header stays where it is. Everything else <see cref="FamilyTranslation"/> writes.</remarks>
internal static class PlainFamilyTranslation
{
    private const int Link = 14, Longer = OtherFamily.V6Header - OtherFamily.V4Header, TcpChecksumAt = 16, UdpChecksumAt = 6;
    private const ushort DontFragment = 0x4000;

    /// <summary>Whether a packet is of this kind, and as one of the other family as long as its way allows.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet, TCP or UDP, no fragment.</param>
    /// <param name="memory">The batch's memory.</param>
    /// <param name="mtu">Longest packet of its way.</param>
    public static bool IsPlain(PacketBatch batch, int i, Span<byte> memory, int mtu)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        int offset = batch.Offsets[i], length = headers.EndOffset - headers.NetworkOffset, transport = offset + headers.TransportOffset;
        if ((batch.Marks[i] & PacketMarks.SuperFrame) != 0)
        {
            return false;
        }

        // No checksum: one has to be worked out for IPv6, and over IPv6 there is more to say about it.
        bool isSummed = headers.Protocol != IpProtocols.Udp || BinaryPrimitives.ReadUInt16BigEndian(memory[(transport + UdpChecksumAt)..]) != 0;
        if (headers.IsPlainIpv6)
        {
            return isSummed && length - Longer <= mtu;
        }

        // What may be fragmented, and is longer than every IPv6 link carries, has to be cut (RFC 7915 4).
        bool isCut = length + Longer > SpecLimits.MinIpv6Mtu && headers.IsPlainIpv4 && (memory[offset + Link + 6] & (DontFragment >> 8)) == 0;
        return headers.IsPlainIpv4 && isSummed && !isCut && length + Longer <= mtu && offset >= Longer;
    }

    /// <summary>Writes a packet as it is to leave, its TTL less one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public static void Write(WorkerContext context, PacketBatch batch, int i, Span<byte> memory, in FlowEntry entry, in OutgoingWays.Way way)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        int transport = batch.Offsets[i] + headers.TransportOffset, payload = headers.EndOffset - headers.TransportOffset;
        bool toV4 = headers.IpVersion == 6;
        int header = toV4 ? OtherFamily.V4Header : OtherFamily.V6Header, offset = transport - header - Link;
        Span<byte> frame = memory[offset..];
        headers.Ttl--;
        if (toV4)
        {
            WriteV4(context, ref MemoryMarshal.AsRef<PlainIpv4Wire>(frame), in headers, in entry, payload, in way);
        }
        else
        {
            WriteV6(ref MemoryMarshal.AsRef<PlainIpv6Wire>(frame), in headers, in entry, payload, in way);
        }

        Span<byte> field = memory.Slice(transport + (headers.Protocol == IpProtocols.Tcp ? TcpChecksumAt : UdpChecksumAt), sizeof(ushort));
        ushort checksum = InternetChecksum.Adjust(BinaryPrimitives.ReadUInt16BigEndian(field), entry.TransportDelta);
        BinaryPrimitives.WriteUInt16BigEndian(field, headers.Protocol == IpProtocols.Tcp ? checksum : InternetChecksum.ZeroAsOnes(checksum));
        (headers.IpVersion, headers.EtherType) = toV4 ? ((byte)4, EtherTypes.Ipv4) : ((byte)6, EtherTypes.Ipv6);
        (headers.TransportOffset, headers.EndOffset) = ((ushort)(Link + header), (ushort)(Link + header + payload));
        (batch.Offsets[i], batch.Lengths[i]) = (offset, Link + header + payload);
        batch.OutPorts[i] = way.Port;
        batch.Verdicts[i] = Verdict.Transmit;
    }

    private static void WriteV4(WorkerContext context, ref PlainIpv4Wire wire, in PacketHeaders headers, in FlowEntry entry, int payload, in OutgoingWays.Way way)
    {
        // Up to here it may be fragmented on its way, and needs a number for it; beyond it needs none (RFC 7915 5.1, RFC 6864 4.1).
        int length = OtherFamily.V4Header + payload;
        bool mayBeFragmented = length <= OtherFamily.MayBeFragmented;
        uint place = mayBeFragmented ? (uint)context.NextIdentification() << 16 : DontFragment;
        ulong first = ((0x4500ul | headers.Tos) << 48) | ((ulong)length << 32) | place, addresses = (entry.NewSourceLow << 32) | (uint)entry.NewDestinationLow;
        uint ttl = ((uint)headers.Ttl << 24) | ((uint)headers.Protocol << 16);
        ulong sum = (first >> 32) + (uint)first + (addresses >> 32) + (uint)addresses + ttl;
        sum = (sum >> 32) + (uint)sum;
        sum = (sum >> 16) + (ushort)sum;
        sum = (sum >> 16) + (ushort)sum;
        ttl |= (ushort)~((sum >> 16) + (ushort)sum);
        (wire.LinkStart, wire.LinkEnd, wire.EtherType) = (way.LinkStart, way.LinkEnd, BinaryPrimitives.ReverseEndianness(EtherTypes.Ipv4));
        wire.First = BinaryPrimitives.ReverseEndianness(first);
        wire.TtlWord = BinaryPrimitives.ReverseEndianness(ttl);
        wire.Addresses = BinaryPrimitives.ReverseEndianness(addresses);
        wire.Ports = BinaryPrimitives.ReverseEndianness(entry.NewPorts);
    }

    private static void WriteV6(ref PlainIpv6Wire wire, in PacketHeaders headers, in FlowEntry entry, int payload, in OutgoingWays.Way way)
    {
        ulong first = ((0x6000_0000ul | ((ulong)headers.Tos << 20)) << 32) | ((ulong)payload << 16) | ((ulong)headers.Protocol << 8) | headers.Ttl;
        (wire.LinkStart, wire.LinkEnd, wire.EtherType) = (way.LinkStart, way.LinkEnd, BinaryPrimitives.ReverseEndianness(EtherTypes.Ipv6));
        wire.First = BinaryPrimitives.ReverseEndianness(first);
        wire.SourceHigh = BinaryPrimitives.ReverseEndianness(entry.NewSourceHigh);
        wire.SourceLow = BinaryPrimitives.ReverseEndianness(entry.NewSourceLow);
        wire.DestinationHigh = BinaryPrimitives.ReverseEndianness(entry.NewDestinationHigh);
        wire.DestinationLow = BinaryPrimitives.ReverseEndianness(entry.NewDestinationLow);
        wire.Ports = BinaryPrimitives.ReverseEndianness(entry.NewPorts);
    }
}
