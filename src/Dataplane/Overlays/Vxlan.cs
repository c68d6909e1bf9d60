using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Rewriting;

namespace Dataplane.Overlays;

/// <summary>The VXLAN header (RFC 7348 5) and what stands before it.</summary>
/// <remarks>
/// <code>
/// |R|R|R|R|I|R|R|R|            Reserved (24 bits)                 |
/// |                VXLAN network identifier       |   Reserved    |
/// </code>
/// </remarks>
internal static class Vxlan
{
    public const int HeaderBytes = 8, UdpBytes = 8, LinkBytes = 14, Ipv4Bytes = 20, Ipv6Bytes = 40;

    /// <summary>The I flag: the identifier is valid. All other bits are zero when sent and ignored when received.</summary>
    public const byte IdentifierFlag = 0x08;

    /// <summary>Source ports are of the dynamic range, 14 bits of the inner flow's hash (RFC 7348 5).</summary>
    public const ushort FirstSourcePort = 49152;

    /// <summary>Bytes of outer headers, without the link header.</summary>
    public static int OverheadBytes(IpAddress local) => (local.IsIpv4 ? Ipv4Bytes : Ipv6Bytes) + UdpBytes + HeaderBytes;

    /// <summary>Everything that is the same in all packets to a peer: Ethernet type, IP, UDP and VXLAN headers, the checksum of UDP 0.</summary>
    /// <remarks>Over IPv6 too the checksum is left out (RFC 6935, RFC 6936): the receiver compares both addresses and the identifier with what it knows, and
    /// what is inside has checksums of its own.</remarks>
    public static byte[] Template(IpAddress local, IpAddress peer, int udpPort, int vni)
    {
        byte[] template = new byte[LinkBytes + OverheadBytes(local)];
        Span<byte> network = template.AsSpan(LinkBytes);
        BinaryPrimitives.WriteUInt16BigEndian(template.AsSpan(12), local.IsIpv4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6);
        if (local.IsIpv4)
        {
            Ipv4Writer.WriteHeader(network, local, peer, IpProtocols.Udp, 64, 0, 0);
        }
        else
        {
            Ipv6Writer.WriteHeader(network, local, peer, IpProtocols.Udp, 64, 0);
        }

        Span<byte> udp = network[(local.IsIpv4 ? Ipv4Bytes : Ipv6Bytes)..];
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], (ushort)udpPort);
        WriteHeader(udp[UdpBytes..], vni);
        return template;
    }

    private static void WriteHeader(Span<byte> header, int vni)
    {
        header[0] = IdentifierFlag;
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], (uint)vni << 8);
    }

    /// <summary>The header alone, as it stands before each frame of a link.</summary>
    public static byte[] Header(int vni)
    {
        byte[] header = new byte[HeaderBytes];
        WriteHeader(header, vni);
        return header;
    }

    /// <summary>The identifier of a header; -1 where the flag says that there is none.</summary>
    public static int IdentifierOf(ReadOnlySpan<byte> header) =>
        (header[0] & IdentifierFlag) == 0 ? -1 : (int)(BinaryPrimitives.ReadUInt32BigEndian(header[4..]) >> 8);

    /// <summary>Writes the outer headers before an inner frame.</summary>
    /// <param name="target">The outer frame, whose end is the inner frame.</param>
    /// <param name="template">What <see cref="Template"/> has made.</param>
    /// <param name="sourcePort">UDP source port.</param>
    /// <param name="congestion">The ECN field of the inner packet, which the outer one shows (RFC 6040 4.1).</param>
    public static void Write(Span<byte> target, ReadOnlySpan<byte> template, ushort sourcePort, int congestion)
    {
        template.CopyTo(target);
        Span<byte> network = target[LinkBytes..];
        int header;
        if (template[12] == 0x08)
        {
            header = Ipv4Bytes;
            network[1] = (byte)congestion;
            BinaryPrimitives.WriteUInt16BigEndian(network[2..], (ushort)network.Length);
            BinaryPrimitives.WriteUInt16BigEndian(network[10..], 0);
            BinaryPrimitives.WriteUInt16BigEndian(network[10..], InternetChecksum.Compute(network[..Ipv4Bytes]));
        }
        else
        {
            header = Ipv6Bytes;
            network[1] = (byte)(congestion << 4);
            BinaryPrimitives.WriteUInt16BigEndian(network[4..], (ushort)(network.Length - Ipv6Bytes));
        }

        BinaryPrimitives.WriteUInt16BigEndian(network[header..], sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(network[(header + 4)..], (ushort)(network.Length - header));
    }
}
