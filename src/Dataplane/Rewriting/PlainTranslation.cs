using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Rewriting;

/// <summary>Translates a packet whose headers stand where they nearly always stand: no tag to write, no options, no extension headers.</summary>
/// <remarks>Link, network and transport header are one layout of known length: one check, then stores. Everything else <see cref="RewriteStage"/> writes.</remarks>
internal static class PlainTranslation
{
    /// <summary>Length of the link header.</summary>
    public const int LinkBytes = 14;

    private const int TcpChecksumAt = 16;

    /// <summary>Writes the packet as it is to leave, its TTL less one, where it lies.</summary>
    /// <param name="memory">The batch's memory.</param>
    /// <param name="offset">Of the frame.</param>
    /// <param name="headers">What the parser found.</param>
    /// <param name="entry">The packet's flow.</param>
    /// <param name="mac">Hardware address of the neighbour.</param>
    /// <param name="way">The interface it leaves by.</param>
    /// <returns>False, with nothing written, when the packet is of another kind.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public static bool TryWrite(Span<byte> memory, int offset, in PacketHeaders headers, in FlowEntry entry, ulong mac, L3Interface way)
    {
        if (way.Vlan != 0)
        {
            return false;
        }

        Span<byte> frame = memory[offset..];
        if (headers.IsPlainIpv4 && frame.Length >= PlainIpv4Wire.Bytes)
        {
            WriteV4(ref MemoryMarshal.AsRef<PlainIpv4Wire>(frame), frame, in headers, in entry, mac, way.Mac.Bits);
            return true;
        }

        if (headers.IsPlainIpv6 && frame.Length >= PlainIpv6Wire.Bytes)
        {
            WriteV6(ref MemoryMarshal.AsRef<PlainIpv6Wire>(frame), frame, in headers, in entry, mac, way.Mac.Bits);
            return true;
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteV4(ref PlainIpv4Wire wire, Span<byte> frame, in PacketHeaders headers, in FlowEntry entry, ulong target, ulong source)
    {
        wire.LinkStart = BinaryPrimitives.ReverseEndianness((target << 16) | (source >> 32));
        wire.LinkEnd = BinaryPrimitives.ReverseEndianness((uint)source);
        wire.EtherType = BinaryPrimitives.ReverseEndianness(EtherTypes.Ipv4);

        // TTL, protocol and checksum are one word.
        uint word = BinaryPrimitives.ReverseEndianness(wire.TtlWord);
        ushort checksum = InternetChecksum.Adjust((ushort)word, InternetChecksum.Fold((uint)entry.AddressDelta + InternetChecksum.TtlDecrementDelta));
        wire.TtlWord = BinaryPrimitives.ReverseEndianness(((word - 0x0100_0000) & 0xFFFF_0000) | checksum);
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
    private static void WriteV6(ref PlainIpv6Wire wire, Span<byte> frame, in PacketHeaders headers, in FlowEntry entry, ulong target, ulong source)
    {
        wire.LinkStart = BinaryPrimitives.ReverseEndianness((target << 16) | (source >> 32));
        wire.LinkEnd = BinaryPrimitives.ReverseEndianness((uint)source);
        wire.EtherType = BinaryPrimitives.ReverseEndianness(EtherTypes.Ipv6);
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

    private static void AdjustTcp(Span<byte> frame, int transport, ushort delta)
    {
        Span<byte> field = frame.Slice(transport + TcpChecksumAt, sizeof(ushort));
        BinaryPrimitives.WriteUInt16BigEndian(field, InternetChecksum.Adjust(BinaryPrimitives.ReadUInt16BigEndian(field), delta));
    }
}
