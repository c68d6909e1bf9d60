using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Gateway.Demo.Memory;

/// <summary>Writes and checks the frames of simulated hosts: Ethernet, IPv4 or IPv6, TCP or UDP. Shares no code with the engine's own parsing and rewriting.</summary>
internal static class FrameTemplate
{
    public const byte Tcp = 6, Udp = 17;
    public const byte Fin = 0x01, Syn = 0x02, Rst = 0x04, Psh = 0x08, Ack = 0x10;
    public const int LargestHeaderBytes = 14 + 40 + 20;

    /// <summary>Writes a frame with all its checksums.</summary>
    /// <returns>Its length in bytes.</returns>
    public static int Write(Span<byte> target, MacAddress from, MacAddress to, in Segment segment, ReadOnlySpan<byte> payload)
    {
        int transportBytes = (segment.Protocol == Tcp ? 20 : 8) + payload.Length;
        int network = 14 + (segment.Source.IsIpv4 ? 20 : 40);
        target = target[..(network + transportBytes)];
        target[..(network + (segment.Protocol == Tcp ? 20 : 8))].Clear();
        to.Write(target);
        from.Write(target[6..]);
        Span<byte> ip = target[14..network], transport = target[network..];
        if (segment.Source.IsIpv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(target[12..], 0x0800);
            ip[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)(20 + transportBytes));
            ip[6] = 0x40;
            ip[8] = 64;
            ip[9] = segment.Protocol;
            segment.Source.Write(ip[12..]);
            segment.Destination.Write(ip[16..]);
            BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum(0, ip));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(target[12..], 0x86DD);
            ip[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)transportBytes);
            ip[6] = segment.Protocol;
            ip[7] = 64;
            segment.Source.Write(ip[8..]);
            segment.Destination.Write(ip[24..]);
        }

        BinaryPrimitives.WriteUInt16BigEndian(transport, segment.SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(transport[2..], segment.DestinationPort);
        int checksumAt = segment.Protocol == Tcp ? WriteTcp(transport, in segment) : WriteUdp(transport);
        payload.CopyTo(transport[(segment.Protocol == Tcp ? 20 : 8)..]);
        ushort checksum = Checksum(PseudoSum(in segment, transportBytes), transport);

        // To UDP a zero says that there is no checksum, which IPv6 does not allow (RFC 768, RFC 8200 8.1); all ones are the same sum.
        BinaryPrimitives.WriteUInt16BigEndian(transport[checksumAt..], checksum == 0 && segment.Protocol == Udp ? ushort.MaxValue : checksum);
        return target.Length;
    }

    /// <summary>Reads a frame.</summary>
    /// <returns>False when it is something else than TCP or UDP, or when a checksum is wrong.</returns>
    public static bool TryRead(ReadOnlySpan<byte> frame, out Segment segment, out ReadOnlySpan<byte> payload)
    {
        segment = default;
        payload = default;
        int type = frame.Length >= 14 + 20 + 8 ? BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) : 0;
        ReadOnlySpan<byte> transport;
        if (type == 0x0800)
        {
            ReadOnlySpan<byte> ip = frame[14..34];
            if (ip[0] != 0x45 || Checksum(0, ip) != 0)
            {
                return false;
            }

            segment = new Segment { Source = IpAddress.ReadV4(ip[12..]), Destination = IpAddress.ReadV4(ip[16..]), Protocol = ip[9] };
            transport = frame[34..(14 + BinaryPrimitives.ReadUInt16BigEndian(ip[2..]))];
        }
        else if (type == 0x86DD && frame.Length >= 14 + 40 + 8)
        {
            ReadOnlySpan<byte> ip = frame[14..54];
            segment = new Segment { Source = IpAddress.ReadV6(ip[8..]), Destination = IpAddress.ReadV6(ip[24..]), Protocol = ip[6] };
            transport = frame[54..(54 + BinaryPrimitives.ReadUInt16BigEndian(ip[4..]))];
        }
        else
        {
            return false;
        }

        if (segment.Protocol is not (Tcp or Udp) || Checksum(PseudoSum(in segment, transport.Length), transport) != 0)
        {
            return false;
        }

        bool tcp = segment.Protocol == Tcp;
        segment = segment with
        {
            SourcePort = BinaryPrimitives.ReadUInt16BigEndian(transport),
            DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(transport[2..]),
            Sequence = tcp ? BinaryPrimitives.ReadUInt32BigEndian(transport[4..]) : 0,
            Acknowledged = tcp ? BinaryPrimitives.ReadUInt32BigEndian(transport[8..]) : 0,
            Flags = tcp ? transport[13] : (byte)0,
        };
        payload = transport[(tcp ? 20 : 8)..];
        return true;
    }

    private static int WriteTcp(Span<byte> tcp, in Segment segment)
    {
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], segment.Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[8..], segment.Acknowledged);
        tcp[12] = 0x50;
        tcp[13] = segment.Flags;
        BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], 0xFFFF);
        return 16;
    }

    private static int WriteUdp(Span<byte> udp)
    {
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)udp.Length);
        return 6;
    }

    private static uint PseudoSum(in Segment segment, int transportBytes)
    {
        Span<byte> pseudo = stackalloc byte[36];
        int source = segment.Source.Write(pseudo);
        int addresses = source + segment.Destination.Write(pseudo[source..]);
        BinaryPrimitives.WriteUInt16BigEndian(pseudo[addresses..], segment.Protocol);
        BinaryPrimitives.WriteUInt16BigEndian(pseudo[(addresses + 2)..], (ushort)transportBytes);
        return Sum(0, pseudo[..(addresses + 4)]);
    }

    /// <summary>RFC 1071, written out: sixteen bits at a time.</summary>
    private static uint Sum(uint sum, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i += 2)
        {
            sum += i + 1 < bytes.Length ? BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]) : (uint)bytes[i] << 8;
        }

        return sum;
    }

    private static ushort Checksum(uint sum, ReadOnlySpan<byte> bytes)
    {
        sum = Sum(sum, bytes);
        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
