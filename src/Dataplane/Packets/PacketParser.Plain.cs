using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dataplane.Flows;

namespace Dataplane.Packets;

/// <summary>The short way of the parser: whole TCP and UDP packets, untagged, without options or extension headers, and sound.</summary>
/// <remarks>False says nothing but "not here": what has been written until then is not to be used, and the long way begins anew.</remarks>
internal static partial class PacketParser
{
    private const int PlainIpv4Transport = EthernetHeader + MinIpv4Header;
    private const int PlainIpv6Transport = EthernetHeader + Ipv6Header;

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // The call and its arguments would cost a quarter of the work.
    private static bool TryParsePlainIpv4(ReadOnlySpan<byte> frame, ref ParsedFrame parsed, in FlowHash hasher)
    {
        if (!BitConverter.IsLittleEndian || frame.Length < PlainIpv4Wire.Bytes)
        {
            return false;
        }

        // EtherType 0x0800, version 4 and no options; neither fragment nor more to come.
        ref readonly PlainIpv4Wire wire = ref MemoryMarshal.AsRef<PlainIpv4Wire>(frame);
        ulong first = wire.First, second = wire.Second;
        uint third = wire.Third, ports = BinaryPrimitives.ReverseEndianness(wire.Ports);
        int payload = BinaryPrimitives.ReverseEndianness((ushort)(first >> 16)) - MinIpv4Header;
        uint protocol = (byte)(second >> 8), tcpFlags = 0;
        if ((wire.Kind & 0xFFFFFF) != 0x450008 || ((first >> 48) & 0xFF3F) != 0 || payload > frame.Length - PlainIpv4Transport
            || !SumsUp(first, second, third))
        {
            return false;
        }

        if (protocol == IpProtocols.Udp ? !IsPlainUdp(wire.UdpLength, payload) : !IsPlainTcp(protocol, frame, PlainIpv4Transport, payload, ref tcpFlags))
        {
            return false;
        }

        parsed.Headers.SetWhole(EtherTypes.Ipv4, EthernetHeader, PlainIpv4Transport, (uint)(PlainIpv4Transport + payload), 4, protocol, tcpFlags,
            ttl: (byte)second, tos: (byte)(first >> 8));
        ulong source = BinaryPrimitives.ReverseEndianness((uint)(second >> 32)), destination = BinaryPrimitives.ReverseEndianness(third);
        ulong transport = ((ulong)ports << 32) | (protocol << 8) | 4;
        parsed.Key.SourceHigh = 0;
        parsed.Key.SourceLow = source;
        parsed.Key.DestinationHigh = 0;
        parsed.Key.DestinationLow = destination;
        parsed.Key.Transport = transport;
        parsed.Hash = hasher.OfV4((source << 32) | destination, transport);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryParsePlainIpv6(ReadOnlySpan<byte> frame, ref ParsedFrame parsed, in FlowHash hasher)
    {
        if (!BitConverter.IsLittleEndian || frame.Length < PlainIpv6Wire.Bytes)
        {
            return false;
        }

        ref readonly PlainIpv6Wire wire = ref MemoryMarshal.AsRef<PlainIpv6Wire>(frame);
        int payload = BinaryPrimitives.ReverseEndianness(wire.PayloadLength);
        uint kind = wire.Kind, ports = BinaryPrimitives.ReverseEndianness(wire.Ports), protocol = wire.Protocol, tcpFlags = 0;
        if ((kind & 0xF0FFFF) != 0x60DD86 || payload > frame.Length - PlainIpv6Transport)
        {
            return false;
        }

        if (protocol == IpProtocols.Udp ? !IsPlainUdp(wire.UdpLength, payload) : !IsPlainTcp(protocol, frame, PlainIpv6Transport, payload, ref tcpFlags))
        {
            return false;
        }

        // The traffic class lies across two bytes: the lower half of the first, the upper half of the second.
        parsed.Headers.SetWhole(EtherTypes.Ipv6, EthernetHeader, PlainIpv6Transport, (uint)(PlainIpv6Transport + payload), 6, protocol, tcpFlags,
            ttl: wire.HopLimit, tos: (byte)((kind >> 12 & 0xF0) | kind >> 28));
        parsed.Key.SourceHigh = BinaryPrimitives.ReverseEndianness(wire.SourceHigh);
        parsed.Key.SourceLow = BinaryPrimitives.ReverseEndianness(wire.SourceLow);
        parsed.Key.DestinationHigh = BinaryPrimitives.ReverseEndianness(wire.DestinationHigh);
        parsed.Key.DestinationLow = BinaryPrimitives.ReverseEndianness(wire.DestinationLow);
        parsed.Key.Transport = ((ulong)ports << 32) | (protocol << 8) | 6;
        parsed.Hash = hasher.OfV6(in parsed.Key, parsed.Key.Transport);
        return true;
    }

    /// <summary>A UDP length from 8 to what there is, in one compare: what is too small wraps around.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsPlainUdp(ushort wireLength, int payload) =>
        payload >= UdpHeader && (uint)(BinaryPrimitives.ReverseEndianness(wireLength) - UdpHeader) <= (uint)(payload - UdpHeader);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsPlainTcp(uint protocol, ReadOnlySpan<byte> frame, int offset, int payload, ref uint tcpFlags)
    {
        if (protocol != IpProtocols.Tcp || frame.Length < offset + MinTcpHeader)
        {
            return false;
        }

        int header = (frame[offset + 12] >> 4) << 2;
        tcpFlags = frame[offset + 13];
        return header >= MinTcpHeader && header <= payload;
    }

    /// <summary>One's complement sum over an IPv4 header of 20 bytes is 0xFFFF when its checksum is right (RFC 1071), in either byte order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool SumsUp(ulong first, ulong second, uint third)
    {
        // Three 64-bit words added with the carries of two; then 32-bit halves, then 16-bit halves, each the one above the other.
        ulong sum = first + second;
        sum += third + (sum < first ? 1UL : 0);
        sum += sum < third ? 1UL : 0;
        sum += BitOperations.RotateLeft(sum, 32);
        uint folded = (uint)(sum >> 32);
        folded += BitOperations.RotateLeft(folded, 16);
        return folded >> 16 == 0xFFFF;
    }
}
