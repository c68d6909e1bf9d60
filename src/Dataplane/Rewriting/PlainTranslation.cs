using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Rewriting;

/// <summary>Translates a packet whose headers stand where they nearly always stand: no tag to write, no options, no extension headers.</summary>
/// <remarks>Link, network and transport header are one layout of known length: one check, then stores. Everything else <see cref="RewriteStage"/> writes.</remarks>
internal static class PlainTranslation
{
    /// <summary>Length of the link header.</summary>
    public const int LinkBytes = 14;

    private const int TcpChecksumAt = 16;

    /// <summary>Whether a packet is of those that <see cref="Write"/> writes.</summary>
    /// <param name="headers">What the parser found.</param>
    /// <param name="frame">The memory from the frame's first byte on.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public static bool Fits(in PacketHeaders headers, ReadOnlySpan<byte> frame) => headers.IsPlainIpv4 ? frame.Length >= PlainIpv4Wire.Bytes : headers.IsPlainIpv6 && frame.Length >= PlainIpv6Wire.Bytes;

    /// <summary>Writes the packet as it is to leave, its TTL less one, where it lies; its EtherType stays what it is.</summary>
    /// <param name="frame">The memory from the frame's first byte on.</param>
    /// <param name="headers">What the parser found; of a packet that <see cref="Fits"/>.</param>
    /// <param name="entry">The packet's flow.</param>
    /// <param name="linkStart">Hardware addresses as they are to stand in the frame: the neighbour's, and the first two bytes of ours.</param>
    /// <param name="linkEnd">The rest of ours.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public static void Write(Span<byte> frame, in PacketHeaders headers, in FlowEntry entry, ulong linkStart, uint linkEnd)
    {
        if (headers.IpVersion == 4)
        {
            ref PlainIpv4Wire wire = ref MemoryMarshal.AsRef<PlainIpv4Wire>(frame);
            (wire.LinkStart, wire.LinkEnd) = (linkStart, linkEnd);
            WriteV4(ref wire, frame, in headers, in entry);
        }
        else
        {
            ref PlainIpv6Wire wire = ref MemoryMarshal.AsRef<PlainIpv6Wire>(frame);
            (wire.LinkStart, wire.LinkEnd) = (linkStart, linkEnd);
            WriteV6(ref wire, frame, in headers, in entry);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteV4(ref PlainIpv4Wire wire, Span<byte> frame, in PacketHeaders headers, in FlowEntry entry)
    {
        // TTL, protocol and checksum are one word.
        uint word = BinaryPrimitives.ReverseEndianness(wire.TtlWord);
        uint sum = (~word & 0xFFFF) + entry.AddressDelta + InternetChecksum.TtlDecrementDelta;
        wire.TtlWord = BinaryPrimitives.ReverseEndianness(((word - 0x0100_0000) & 0xFFFF_0000) | (ushort)~InternetChecksum.Fold(sum));
        wire.Addresses = BinaryPrimitives.ReverseEndianness((entry.NewSourceLow << 32) | (uint)entry.NewDestinationLow);
        wire.Ports = BinaryPrimitives.ReverseEndianness(entry.NewPorts);
        if (headers.Protocol != IpProtocols.Udp)
        {
            AdjustTcp(frame, headers.TransportOffset, entry.TransportDelta);
        }
        else if (wire.UdpChecksum != 0)
        {
            // A UDP checksum of 0 over IPv4 says there is none (RFC 768), and none it stays.
            wire.UdpChecksum = Adjusted(wire.UdpChecksum, entry.TransportDelta);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteV6(ref PlainIpv6Wire wire, Span<byte> frame, in PacketHeaders headers, in FlowEntry entry)
    {
        wire.HopLimit--;
        wire.SourceHigh = BinaryPrimitives.ReverseEndianness(entry.NewSourceHigh);
        wire.SourceLow = BinaryPrimitives.ReverseEndianness(entry.NewSourceLow);
        wire.DestinationHigh = BinaryPrimitives.ReverseEndianness(entry.NewDestinationHigh);
        wire.DestinationLow = BinaryPrimitives.ReverseEndianness(entry.NewDestinationLow);
        wire.Ports = BinaryPrimitives.ReverseEndianness(entry.NewPorts);
        if (headers.Protocol != IpProtocols.Udp)
        {
            AdjustTcp(frame, headers.TransportOffset, entry.TransportDelta);
        }
        else
        {
            // 0 is an error of the sender over IPv6 (RFC 8200 8.1) and stays one.
            wire.UdpChecksum = Adjusted(wire.UdpChecksum, entry.TransportDelta);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort Adjusted(ushort wire, ushort delta) =>
        BinaryPrimitives.ReverseEndianness(InternetChecksum.AdjustUdp(BinaryPrimitives.ReverseEndianness(wire), delta));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AdjustTcp(Span<byte> frame, int transport, ushort delta)
    {
        Span<byte> field = frame.Slice(transport + TcpChecksumAt, sizeof(ushort));
        BinaryPrimitives.WriteUInt16BigEndian(field, InternetChecksum.Adjust(BinaryPrimitives.ReadUInt16BigEndian(field), delta));
    }
}
