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

    /// <summary>The EtherType of IPv4 as it is read from a frame.</summary>
    private const ushort WireIpv4 = 0x0008;

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // The call and its arguments would cost a quarter of the work.
    private static bool TryParsePlainIpv4(ReadOnlySpan<byte> frame, ref ParsedFrame parsed, in FlowHash hasher)
    {
        if (!BitConverter.IsLittleEndian || (uint)frame.Length < PlainIpv4Wire.Bytes)
        {
            return false;
        }

        ref readonly PlainIpv4Wire wire = ref MemoryMarshal.AsRef<PlainIpv4Wire>(frame);
        ulong first = wire.First, second = wire.Second;
        uint third = wire.Third;
        int payload = BinaryPrimitives.ReverseEndianness((ushort)(first >> 16)) - MinIpv4Header;

        // Version 4 and no options, neither fragment nor more to come; at least what UDP needs, and all of it in the frame.
        if (wire.EtherType != WireIpv4 || (first & 0xFF3F_0000_0000_00FF) != 0x45 || !IsWithin(payload, frame.Length - PlainIpv4Transport) || !SumsUp(first, second, third))
        {
            return false;
        }

        uint protocol = (byte)(second >> 8), tcpFlags = 0;
        if (protocol == IpProtocols.Udp ? !IsPlainUdp(wire.UdpLength, payload) : !IsPlainTcp(protocol, frame, PlainIpv4Transport, payload, ref tcpFlags))
        {
            return false;
        }

        parsed.Headers.SetWhole(EtherTypes.Ipv4, EthernetHeader, PlainIpv4Transport, (uint)(PlainIpv4Transport + payload), 4, (ushort)second, tcpFlags, (ushort)first);
        ulong source = BinaryPrimitives.ReverseEndianness((uint)(second >> 32)), destination = BinaryPrimitives.ReverseEndianness(third);
        ulong transport = ((ulong)BinaryPrimitives.ReverseEndianness(wire.Ports) << 32) | (protocol << 8) | 4;
        parsed.Key.SourceHigh = 0;
        parsed.Key.SourceLow = source;
        parsed.Key.DestinationHigh = 0;
        parsed.Key.DestinationLow = destination;
        parsed.Key.Transport = transport;
        parsed.Hash = hasher.OfV4((source << 32) | destination, transport);
        return true;
    }

    private static bool TryParsePlainIpv6(ReadOnlySpan<byte> frame, ref ParsedFrame parsed, in FlowHash hasher)
    {
        if (!BitConverter.IsLittleEndian || (uint)frame.Length < PlainIpv6Wire.Bytes)
        {
            return false;
        }

        ref readonly PlainIpv6Wire wire = ref MemoryMarshal.AsRef<PlainIpv6Wire>(frame);
        int payload = BinaryPrimitives.ReverseEndianness(wire.PayloadLength);
        uint kind = wire.Kind, ports = BinaryPrimitives.ReverseEndianness(wire.Ports), protocol = wire.Protocol, tcpFlags = 0;
        if ((kind & 0xF0FFFF) != 0x60DD86 || !IsWithin(payload, frame.Length - PlainIpv6Transport))
        {
            return false;
        }

        if (protocol == IpProtocols.Udp ? !IsPlainUdp(wire.UdpLength, payload) : !IsPlainTcp(protocol, frame, PlainIpv6Transport, payload, ref tcpFlags))
        {
            return false;
        }

        // The traffic class lies across two bytes: the lower half of the first, the upper half of the second.
        parsed.Headers.SetWhole(EtherTypes.Ipv6, EthernetHeader, PlainIpv6Transport, (uint)(PlainIpv6Transport + payload), 6,
            wire.HopLimit | (protocol << 8), tcpFlags, ((kind >> 12 & 0xF0) | kind >> 28) << 8);
        parsed.Key.SourceHigh = BinaryPrimitives.ReverseEndianness(wire.SourceHigh);
        parsed.Key.SourceLow = BinaryPrimitives.ReverseEndianness(wire.SourceLow);
        parsed.Key.DestinationHigh = BinaryPrimitives.ReverseEndianness(wire.DestinationHigh);
        parsed.Key.DestinationLow = BinaryPrimitives.ReverseEndianness(wire.DestinationLow);
        parsed.Key.Transport = ((ulong)ports << 32) | (protocol << 8) | 6;
        parsed.Hash = hasher.OfV6(in parsed.Key, parsed.Key.Transport);
        return true;
    }

    /// <summary>A payload from 8 bytes to what there is, which is no less, in one compare: what is too small wraps around.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWithin(int payload, int available) => (uint)(payload - UdpHeader) <= (uint)(available - UdpHeader);

    /// <summary>A UDP length from 8 to what there is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsPlainUdp(ushort wireLength, int payload) => IsWithin(BinaryPrimitives.ReverseEndianness(wireLength), payload);

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
        // 32-bit words into 64 bits cannot overflow; then 32-bit halves, then 16-bit halves, each the one above the other.
        ulong sum = (uint)first + (first >> 32) + (uint)second + (second >> 32) + third;
        sum += BitOperations.RotateLeft(sum, 32);
        uint folded = (uint)(sum >> 32);
        folded += BitOperations.RotateLeft(folded, 16);
        return folded >> 16 == 0xFFFF;
    }
}
