using System.Buffers.Binary;
using Dataplane.Pipeline;

namespace Dataplane.Packets;

/// <summary>The long way of the parser: VLAN tags, 802.2, ARP, IPv4 options, IPv6.</summary>
internal static partial class PacketParser
{
    private const int Ipv6Header = 40;

    /// <summary>Extension headers that only hosts look into (RFC 6275, RFC 7401, RFC 5533); stepped over like options.</summary>
    private const byte Mobility = 135, HostIdentity = 139, Shim6 = 140;

    /// <summary>Tags followed at most; more than two are not in use.</summary>
    private const int MaxVlanTags = 4;

    /// <summary>IPv6 extension headers followed at most; hosts and routers drop long chains (RFC 9098 3.1).</summary>
    private const int MaxExtensionHeaders = 8;

    private static DropReason ParseGeneral(ReadOnlySpan<byte> frame, ref PacketHeaders headers, ref FlowKey key)
    {
        headers = default;
        key = default;
        if (frame.Length < EthernetHeader)
        {
            return DropReason.TruncatedEthernet;
        }

        int offset = EthernetHeader;
        ushort etherType = BinaryPrimitives.ReadUInt16BigEndian(frame[12..]);
        for (int tags = 0; etherType is EtherTypes.Vlan or EtherTypes.ServiceVlan; tags++)
        {
            if (tags == MaxVlanTags || frame.Length < offset + 4)
            {
                headers.EtherType = etherType;
                return DropReason.TruncatedEthernet;
            }

            if (tags == 0)
            {
                headers.VlanId = (ushort)(BinaryPrimitives.ReadUInt16BigEndian(frame[offset..]) & 0x0FFF);
            }

            headers.VlanTags++;
            etherType = BinaryPrimitives.ReadUInt16BigEndian(frame[(offset + 2)..]);
            offset += 4;
        }

        if (etherType < 0x0600)
        {
            // IEEE 802.3: the field is a length. A SNAP header with OUI 0 carries an EtherType behind it (RFC 1042).
            (etherType, offset) = ReadSnap(frame, offset);
        }

        headers.EtherType = etherType;
        headers.NetworkOffset = (ushort)offset;
        return etherType switch
        {
            EtherTypes.Ipv4 => ParseIpv4(frame, offset, ref headers, ref key),
            EtherTypes.Ipv6 => ParseIpv6(frame, offset, ref headers, ref key),
            EtherTypes.Arp => DropReason.None,
            _ => DropReason.UnknownEtherType,
        };
    }

    private static (ushort EtherType, int Offset) ReadSnap(ReadOnlySpan<byte> frame, int offset) =>
        frame.Length >= offset + 8
        && BinaryPrimitives.ReadUInt32BigEndian(frame[offset..]) == 0xAAAA0300 && BinaryPrimitives.ReadUInt16BigEndian(frame[(offset + 4)..]) == 0
            ? (BinaryPrimitives.ReadUInt16BigEndian(frame[(offset + 6)..]), offset + 8)
            : (EtherTypes.None, offset);

    private static DropReason ParseIpv4(ReadOnlySpan<byte> frame, int network, ref PacketHeaders headers, ref FlowKey key)
    {
        ReadOnlySpan<byte> packet = frame[network..];
        if (packet.Length < MinIpv4Header)
        {
            return DropReason.TruncatedIp;
        }

        if (packet[0] >> 4 != 4)
        {
            return DropReason.BadIpVersion;
        }

        int headerLength = (packet[0] & 0x0F) << 2;
        if (headerLength < MinIpv4Header)
        {
            return DropReason.BadIpHeaderLength;
        }

        headers.IpVersion = 4;
        headers.Tos = packet[1];
        headers.Ttl = packet[8];
        headers.Protocol = packet[9];
        if (packet.Length < headerLength)
        {
            return DropReason.TruncatedIp;
        }

        return ParseIpv4Rest(frame, network, headerLength, ref headers, ref key);
    }

    private static DropReason ParseIpv6(ReadOnlySpan<byte> frame, int network, ref PacketHeaders headers, ref FlowKey key)
    {
        ReadOnlySpan<byte> packet = frame[network..];
        if (packet.Length < Ipv6Header)
        {
            return DropReason.TruncatedIp;
        }

        uint first = BinaryPrimitives.ReadUInt32BigEndian(packet);
        if (first >> 28 != 6)
        {
            return DropReason.BadIpVersion;
        }

        headers.IpVersion = 6;
        headers.Tos = (byte)(first >> 20);
        headers.Ttl = packet[7];
        headers.Protocol = packet[6];
        key.SourceHigh = BinaryPrimitives.ReadUInt64BigEndian(packet[8..]);
        key.SourceLow = BinaryPrimitives.ReadUInt64BigEndian(packet[16..]);
        key.DestinationHigh = BinaryPrimitives.ReadUInt64BigEndian(packet[24..]);
        key.DestinationLow = BinaryPrimitives.ReadUInt64BigEndian(packet[32..]);
        key.Transport = FlowKey.PackTransport(0, 0, headers.Protocol, 6);

        int end = network + Ipv6Header + BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        headers.EndOffset = (ushort)Math.Min(end, frame.Length);
        if (end > frame.Length)
        {
            return DropReason.TruncatedIp;
        }

        frame = frame[..end];
        int transport = network + Ipv6Header;
        DropReason reason = WalkExtensions(frame, ref transport, ref headers);
        key.Transport = FlowKey.PackTransport(0, 0, headers.Protocol, 6);
        if (reason != DropReason.None || headers.Fragment == FragmentKind.Later || headers.Protocol == IpProtocols.NoNextHeader)
        {
            return reason;
        }

        headers.TransportOffset = (ushort)transport;
        return ParseTransport(frame, transport, ref headers, ref key);
    }

    /// <summary>Steps over the extension headers (RFC 8200 4) until the transport header or a later fragment.</summary>
    private static DropReason WalkExtensions(ReadOnlySpan<byte> frame, ref int offset, ref PacketHeaders headers)
    {
        bool isFragment = false;
        for (int walked = 0; ; walked++)
        {
            byte protocol = headers.Protocol;
            if (!IsExtension(protocol))
            {
                return DropReason.None;
            }

            // Hop-by-hop options may stand only directly behind the IPv6 header (RFC 8200 4.1).
            if (walked == MaxExtensionHeaders || frame.Length < offset + 8 || (protocol == IpProtocols.HopByHop && walked > 0))
            {
                return headers.Fragment == FragmentKind.First ? DropReason.BadFragment : DropReason.BadExtensionHeader;
            }

            int length = protocol switch
            {
                IpProtocols.Fragment => 8,
                IpProtocols.Authentication => (frame[offset + 1] + 2) << 2,
                _ => (frame[offset + 1] + 1) << 3,
            };
            if (frame.Length < offset + length)
            {
                return headers.Fragment == FragmentKind.First ? DropReason.BadFragment : DropReason.BadExtensionHeader;
            }

            headers.Protocol = frame[offset];
            if (protocol == IpProtocols.Routing)
            {
                headers.IsSourceRouted |= frame[offset + 3] != 0;
            }
            else if (protocol == IpProtocols.Fragment)
            {
                // A fragment of a fragment: no sender makes one (RFC 8200 4.1), and which of both the ports belong to would be anybody's guess.
                if (isFragment)
                {
                    return DropReason.BadFragment;
                }

                isFragment = true;
                int word = BinaryPrimitives.ReadUInt16BigEndian(frame[(offset + 2)..]);
                int fragmentOffset = word & 0xFFF8;
                if (fragmentOffset + frame.Length - offset - 8 > ushort.MaxValue)
                {
                    return DropReason.BadFragment;
                }

                if (fragmentOffset != 0)
                {
                    headers.Fragment = FragmentKind.Later;
                    return CoversTcpHeader(headers.Protocol, fragmentOffset) ? DropReason.BadFragment : DropReason.None;
                }

                // Offset 0 without more to come is a whole packet, an atomic fragment (RFC 6946).
                headers.Fragment = (word & 1) != 0 ? FragmentKind.First : FragmentKind.None;
            }

            offset += length;
        }
    }

    /// <summary>
    /// Whether a later fragment would write over the header of TCP that the first must have whole: the way around rules that look at flags (RFC 1858 4, RFC 3128). Later
    /// fragments are not always compared with the first.
    /// </summary>
    private static bool CoversTcpHeader(byte protocol, int offsetBytes) => protocol == IpProtocols.Tcp && offsetBytes < MinTcpHeader;

    private static bool IsExtension(byte protocol) => protocol is IpProtocols.HopByHop or IpProtocols.Routing or IpProtocols.Fragment
        or IpProtocols.Authentication or IpProtocols.DestinationOptions or Mobility or HostIdentity or Shim6;
}
