using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Tunnels;

/// <summary>The header that goes before the packets of one backend. Immutable.</summary>
/// <remarks>
/// Outer TTL 64, "do not fragment" and identification 0 (RFC 6864: it need not be unique then), type of service as inside with both bits of ECN (RFC 6040,
/// 4.1), flow label of IPv6 and source port of GUE from the flow's hash (RFC 6438). UDP over IPv4 has no checksum, since what is inside has its own; over
/// IPv6 it has one.
/// </remarks>
internal sealed class OuterHeader
{
    private const int V4Bytes = 20, V6Bytes = 40, UdpBytes = 8, UdpChecksumAt = 6;

    /// <summary>Dynamic ports (RFC 6335): 14 bits of the hash.</summary>
    private const uint FirstEntropyPort = 0xC000, EntropyPorts = 0x3FFF;

    private readonly IpAddress _source;
    private readonly ulong _variable;
    private readonly ushort _guePort;

    /// <summary>Makes a header.</summary>
    /// <param name="kind">One of the kinds.</param>
    /// <param name="source">Where it comes from, of the destination's family; bits behind the prefix's length differ from flow to flow.</param>
    /// <param name="destination">The backend.</param>
    /// <param name="guePort">Destination port of GUE.</param>
    public OuterHeader(TunnelKinds kind, IpPrefix source, IpAddress destination, ushort guePort)
    {
        (Kind, Destination, _guePort) = (kind, destination, guePort);
        _source = source.Length == source.Address.BitLength ? source.Address : source.First;

        // 32 bits of a hash fill no more than that.
        int variableBits = Math.Min(32, source.Address.BitLength - source.Length);
        _variable = variableBits == 0 ? 0 : uint.MaxValue >> (32 - variableBits);
        Bytes = (byte)((destination.IsIpv4 ? V4Bytes : V6Bytes) + (kind == TunnelKinds.Gue ? UdpBytes : 0));
    }

    /// <summary>The most that any header adds to a packet.</summary>
    public const int MaxBytes = V6Bytes + UdpBytes;

    public TunnelKinds Kind { get; }

    public IpAddress Destination { get; }

    /// <summary>Length in bytes.</summary>
    public byte Bytes { get; }

    public ushort EtherType => Destination.IsIpv4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6;

    /// <summary>The source that a flow's packets have outside.</summary>
    public IpAddress SourceFor(uint entropy) => _source.IsIpv4
        ? IpAddress.FromV4((uint)(_source.Low | (entropy & _variable)))
        : IpAddress.FromV6(_source.High, _source.Low | (entropy & _variable));

    /// <summary>The source port that a flow's packets have outside.</summary>
    public static ushort PortFor(uint entropy) => (ushort)(FirstEntropyPort | (Mix(entropy) & EntropyPorts));

    /// <summary>Writes the header before a packet.</summary>
    /// <param name="packet">Room for the header, and the packet behind it.</param>
    /// <param name="entropy">Hash of the packet's flow.</param>
    /// <param name="transport">Where inside the packet a TCP or UDP header begins whose checksum is right; 0: nowhere.</param>
    public void Write(Span<byte> packet, uint entropy, int transport)
    {
        ReadOnlySpan<byte> inner = packet[Bytes..];
        bool isInnerV4 = inner[0] >> 4 == 4;
        byte tos = isInnerV4 ? inner[1] : (byte)(BinaryPrimitives.ReadUInt16BigEndian(inner) >> 4);
        byte protocol = Kind == TunnelKinds.Gue ? IpProtocols.Udp : isInnerV4 ? IpProtocols.Ipv4 : IpProtocols.Ipv6;
        if (Destination.IsIpv4)
        {
            packet[0] = 0x45;
            packet[1] = tos;
            BinaryPrimitives.WriteUInt32BigEndian(packet[4..], 0x4000);
            packet[8] = 64;
            packet[9] = protocol;
            BinaryPrimitives.WriteUInt32BigEndian(packet[12..], (uint)(_source.Low | (entropy & _variable)));
            BinaryPrimitives.WriteUInt32BigEndian(packet[16..], (uint)Destination.Low);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(packet, 0x6000_0000 | ((uint)tos << 20) | (Mix(entropy) & 0xF_FFFF));
            packet[6] = protocol;
            packet[7] = 64;
            BinaryPrimitives.WriteUInt64BigEndian(packet[8..], _source.High);
            BinaryPrimitives.WriteUInt64BigEndian(packet[16..], _source.Low | (entropy & _variable));
            BinaryPrimitives.WriteUInt64BigEndian(packet[24..], Destination.High);
            BinaryPrimitives.WriteUInt64BigEndian(packet[32..], Destination.Low);
        }

        if (Kind == TunnelKinds.Gue)
        {
            Span<byte> udp = packet[(Bytes - UdpBytes)..];
            BinaryPrimitives.WriteUInt16BigEndian(udp, PortFor(entropy));
            BinaryPrimitives.WriteUInt16BigEndian(udp[2..], _guePort);
        }

        SetLength(packet, Bytes, transport);
    }

    /// <summary>Writes lengths and checksums into a header that has everything else.</summary>
    /// <param name="packet">From the outer header to the end of the packet inside.</param>
    /// <param name="outerBytes">Length of the outer header.</param>
    /// <param name="transport">As for <see cref="Write"/>.</param>
    public static void SetLength(Span<byte> packet, int outerBytes, int transport)
    {
        bool isV4 = packet[0] >> 4 == 4;
        int header = isV4 ? V4Bytes : V6Bytes;
        if (isV4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)packet.Length);
            BinaryPrimitives.WriteUInt16BigEndian(packet[10..], 0);
            BinaryPrimitives.WriteUInt16BigEndian(packet[10..], InternetChecksum.Compute(packet[..V4Bytes]));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)(packet.Length - V6Bytes));
        }

        if (outerBytes == header)
        {
            return;
        }

        Span<byte> udp = packet[header..];
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)udp.Length);
        BinaryPrimitives.WriteUInt16BigEndian(udp[UdpChecksumAt..], 0);
        if (!isV4)
        {
            uint outer = InternetChecksum.Sum(packet.Slice(8, 32)) + IpProtocols.Udp + (uint)udp.Length + InternetChecksum.Sum(udp[..UdpBytes]);
            ushort checksum = (ushort)~InternetChecksum.Fold(outer + SumOf(udp[UdpBytes..], transport));
            BinaryPrimitives.WriteUInt16BigEndian(udp[UdpChecksumAt..], InternetChecksum.ZeroAsOnes(checksum));
        }
    }

    /// <summary>The sum of a packet without reading its payload: a transport header with a right checksum, and all behind it, add up to the complement of the
    /// pseudo-header's sum.</summary>
    private static uint SumOf(ReadOnlySpan<byte> inner, int transport)
    {
        if (transport == 0)
        {
            return InternetChecksum.Sum(inner);
        }

        bool isV4 = inner[0] >> 4 == 4;
        uint pseudo = InternetChecksum.Sum(isV4 ? inner.Slice(12, 8) : inner.Slice(8, 32)) + inner[isV4 ? 9 : 6] + (uint)(inner.Length - transport);
        return InternetChecksum.Sum(inner[..transport]) + (ushort)~InternetChecksum.Fold(pseudo);
    }

    /// <summary>Other bits of the hash than those that stand in the source address.</summary>
    private static uint Mix(uint entropy) => (entropy * 0x9E3779B1) >> 12;
}
