using System.Buffers.Binary;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Rewriting;

/// <summary>A frame as far as merging must know it: whether it is TCP, of which flow, and whether it is plain data that others may be joined with.</summary>
/// <remarks>Plain is an untagged frame with an IPv4 header without options or an IPv6 header without extensions, no fragment, no byte behind the packet, and of the flags of TCP
/// only ACK, PSH, FIN and ECE. Checksums are looked at by <see cref="IsSound"/>, since that costs a pass over the payload.</remarks>
internal readonly ref struct TcpSegment
{
    public const int LinkBytes = 14, Ipv4Bytes = 20, Ipv6Bytes = 40, TcpBytes = 20;
    public const byte Fin = 0x01, Psh = 0x08, Ack = 0x10, Ece = 0x40;

    private readonly ReadOnlySpan<byte> _frame;

    private TcpSegment(ReadOnlySpan<byte> frame, TcpSegmentKind kind, ulong flow, int transport, int headers)
    {
        _frame = frame;
        Kind = kind;
        Flow = flow;
        TransportOffset = transport;
        HeaderBytes = headers;
    }

    public TcpSegmentKind Kind { get; }

    /// <summary>The same in all packets of a flow and direction; rarely the same in others.</summary>
    public ulong Flow { get; }

    /// <summary>From the start of the frame to the TCP header.</summary>
    public int TransportOffset { get; }

    /// <summary>Bytes of link, network and transport header.</summary>
    public int HeaderBytes { get; }

    public int PayloadBytes => _frame.Length - HeaderBytes;

    public uint Sequence => BinaryPrimitives.ReadUInt32BigEndian(_frame[(TransportOffset + 4)..]);

    public byte Flags => _frame[TransportOffset + 13];

    public bool IsIpv4 => TransportOffset == LinkBytes + Ipv4Bytes;

    /// <summary>IPv4: the identification.</summary>
    public ushort Identification => BinaryPrimitives.ReadUInt16BigEndian(_frame[(LinkBytes + 4)..]);

    /// <summary>Looks at a frame of any kind and length.</summary>
    public static TcpSegment Read(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < LinkBytes + Ipv4Bytes)
        {
            return default;
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(frame[12..]);
        return type == EtherTypes.Ipv4 ? ReadIpv4(frame) : type == EtherTypes.Ipv6 && frame.Length >= LinkBytes + Ipv6Bytes ? ReadIpv6(frame) : default;
    }

    private static TcpSegment ReadIpv4(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> ip = frame[LinkBytes..];
        if (ip[9] != IpProtocols.Tcp)
        {
            return default;
        }

        if (ip[0] != 0x45 || (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & 0x3FFF) != 0 || ip.Length < Ipv4Bytes + TcpBytes)
        {
            return new TcpSegment(frame, TcpSegmentKind.Strange, 0, 0, 0);
        }

        bool isWhole = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]) == ip.Length;
        return ReadTcp(frame, LinkBytes + Ipv4Bytes, isWhole, BitConverter.ToUInt64(ip[12..]));
    }

    private static TcpSegment ReadIpv6(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> ip = frame[LinkBytes..];
        if (ip[6] != IpProtocols.Tcp || ip.Length < Ipv6Bytes + TcpBytes)
        {
            // With extension headers it may be TCP too.
            return ip[6] is IpProtocols.Udp or IpProtocols.Icmpv6 ? default : new TcpSegment(frame, TcpSegmentKind.Strange, 0, 0, 0);
        }

        bool isWhole = ip[0] >> 4 == 6 && BinaryPrimitives.ReadUInt16BigEndian(ip[4..]) == ip.Length - Ipv6Bytes;
        ulong source = BitConverter.ToUInt64(ip[8..]) ^ (BitConverter.ToUInt64(ip[16..]) * 3), target = BitConverter.ToUInt64(ip[24..]) ^ (BitConverter.ToUInt64(ip[32..]) * 5);
        return ReadTcp(frame, LinkBytes + Ipv6Bytes, isWhole, source + (target * 7));
    }

    private static TcpSegment ReadTcp(ReadOnlySpan<byte> frame, int transport, bool isWhole, ulong addresses)
    {
        ReadOnlySpan<byte> tcp = frame[transport..];
        int headers = transport + ((tcp[12] >> 4) * 4);
        ulong flow = (addresses * 0x9E37_79B9_7F4A_7C15) + BitConverter.ToUInt32(tcp);
        bool isPlain = isWhole && headers >= transport + TcpBytes && headers < frame.Length && (tcp[13] & ~(Fin | Psh | Ece)) == Ack;
        return new TcpSegment(frame, isPlain ? TcpSegmentKind.Plain : TcpSegmentKind.Other, flow, transport, headers);
    }

    /// <summary>Whether everything that all segments of a super-frame repeat is the same in another plain segment.</summary>
    /// <remarks>What may differ: lengths and checksums, the sequence number, IPv4's identification, PSH and FIN.</remarks>
    public bool RepeatsHeadersOf(in TcpSegment first)
    {
        ReadOnlySpan<byte> mine = _frame[..HeaderBytes], others = first._frame;
        if (HeaderBytes != first.HeaderBytes || TransportOffset != first.TransportOffset || !mine[..LinkBytes].SequenceEqual(others[..LinkBytes]))
        {
            return false;
        }

        bool isSamePacket = IsIpv4
            ? mine[LinkBytes + 1] == others[LinkBytes + 1] && mine[(LinkBytes + 6)..(LinkBytes + 10)].SequenceEqual(others[(LinkBytes + 6)..(LinkBytes + 10)])
                && mine[(LinkBytes + 12)..TransportOffset].SequenceEqual(others[(LinkBytes + 12)..TransportOffset])
            : BitConverter.ToUInt32(mine[LinkBytes..]) == BitConverter.ToUInt32(others[LinkBytes..])
                && mine[(LinkBytes + 6)..TransportOffset].SequenceEqual(others[(LinkBytes + 6)..TransportOffset]);

        // Ports, acknowledgement and data offset; window; urgent pointer and options.
        ReadOnlySpan<byte> tcp = mine[TransportOffset..], other = others[TransportOffset..HeaderBytes];
        return isSamePacket && BitConverter.ToUInt32(tcp) == BitConverter.ToUInt32(other) && tcp[8..13].SequenceEqual(other[8..13])
            && ((tcp[13] ^ other[13]) & ~(Psh | Fin)) == 0 && BitConverter.ToUInt16(tcp[14..]) == BitConverter.ToUInt16(other[14..]) && tcp[18..].SequenceEqual(other[18..]);
    }

    /// <summary>Whether the checksums of a plain segment are right: what is merged has them written anew, and no damage may be hidden by that.</summary>
    public bool IsSound()
    {
        ReadOnlySpan<byte> ip = _frame[LinkBytes..];
        if (IsIpv4 && InternetSum.Complement(InternetSum.Add(0, ip[..Ipv4Bytes])) != 0)
        {
            return false;
        }

        ReadOnlySpan<byte> addresses = IsIpv4 ? ip.Slice(12, 8) : ip.Slice(8, 32), tcp = _frame[TransportOffset..];
        ulong sum = InternetSum.Add(InternetSum.OfWord(IpProtocols.Tcp) + InternetSum.OfWord(tcp.Length), addresses);
        return InternetSum.Complement(InternetSum.Add(sum, tcp)) == 0;
    }
}
