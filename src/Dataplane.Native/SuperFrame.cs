using System.Buffers.Binary;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;
using static Dataplane.Native.Abi.VirtioNet;

namespace Dataplane.Native;

/// <summary>Cuts one offload super-frame (GSO) into frames of wire size, one at a time.</summary>
/// <remarks>
/// The kernel hands TCP and UDP data of up to 64 KB as one frame when the sender's interface offers segmentation offload, as every veth
/// does. Each segment repeats the headers with its own length, IPv4 identification, TCP sequence number and complete checksums; FIN
/// and PSH stand on the last only, CWR on the first only (RFC 3168, 6.1.2), as a network card would do it.
/// </remarks>
internal struct SuperFrame
{
    private const byte TcpFin = 0x01, TcpPsh = 0x08, TcpCwr = 0x80;
    private const byte Tcp = 6, Udp = 17;
    private const int Ipv4Minimum = 20, Ipv6Header = 40, TcpMinimum = 20, UdpHeader = 8;

    private int _networkOffset;
    private int _transportOffset;
    private int _headerBytes;      // everything that each segment repeats
    private int _payloadBytes;
    private int _segmentBytes;
    private int _sent;             // payload bytes already cut off
    private int _index;
    private bool _ipv4;
    private bool _tcp;
    private bool _checksum;

    /// <summary>Whether segments are left.</summary>
    internal readonly bool IsPending => _sent < _payloadBytes;

    /// <summary>Length in bytes of the longest segment.</summary>
    internal readonly int LongestSegmentBytes => _headerBytes + Math.Min(_segmentBytes, _payloadBytes);

    /// <summary>Segments that are left.</summary>
    internal readonly int Segments => (_payloadBytes - _sent + _segmentBytes - 1) / _segmentBytes;

    /// <summary>Writes UDP segments without checksum, as ends of tunnels may over IPv6 too (RFC 6935); the field of the frame must be 0.</summary>
    internal void LeaveOutChecksum() => _checksum = _tcp;

    /// <summary>Looks whether a frame can be cut, and prepares to.</summary>
    /// <param name="frame">The whole frame from its first MAC byte, VLAN tags in place.</param>
    /// <param name="gsoType">Kind from the offload header, VIRTIO_NET_HDR_GSO_*.</param>
    /// <param name="segmentBytes">Payload bytes per segment from the offload header.</param>
    /// <returns>False when the frame is not what the offload header says; nothing is pending then.</returns>
    internal bool TryOpen(ReadOnlySpan<byte> frame, byte gsoType, int segmentBytes)
    {
        this = default;
        int kind = gsoType & ~VIRTIO_NET_HDR_GSO_ECN;
        bool tcp = kind is VIRTIO_NET_HDR_GSO_TCPV4 or VIRTIO_NET_HDR_GSO_TCPV6;
        if ((!tcp && kind != VIRTIO_NET_HDR_GSO_UDP_L4) || segmentBytes <= 0 || !TrySkipEthernet(frame, out int etherType))
            return false;

        int end;
        if (etherType == ETH_P_IP && kind != VIRTIO_NET_HDR_GSO_TCPV6)
            end = SkipIpv4(frame, tcp ? Tcp : Udp);
        else if (etherType == ETH_P_IPV6 && kind != VIRTIO_NET_HDR_GSO_TCPV4)
            end = SkipIpv6(frame, tcp ? Tcp : Udp);
        else
            return false;

        int transportBytes = end - _transportOffset < (tcp ? TcpMinimum : UdpHeader) ? -1
            : tcp ? (frame[_transportOffset + 12] >> 4) * 4 : UdpHeader;
        if (transportBytes < (tcp ? TcpMinimum : UdpHeader) || end - _transportOffset <= transportBytes)
            return false;

        // A segment must be able to state its length.
        int longest = _transportOffset - _networkOffset + transportBytes + Math.Min(segmentBytes, end - _transportOffset - transportBytes);
        if (longest > ushort.MaxValue)
            return false;

        _tcp = tcp;
        _ipv4 = etherType == ETH_P_IP;
        // A zero UDP checksum over IPv4 means that the sender wants none (RFC 768); over IPv6 there is no such choice (RFC 8200, 8.1).
        _checksum = tcp || !_ipv4 || BinaryPrimitives.ReadUInt16BigEndian(frame[(_transportOffset + 6)..]) != 0;
        _headerBytes = _transportOffset + transportBytes;
        _segmentBytes = segmentBytes;
        _payloadBytes = end - _headerBytes;
        return true;
    }

    /// <summary>Writes the next segment.</summary>
    /// <param name="frame">The frame given to <see cref="TryOpen"/>.</param>
    /// <param name="target">Room of at least <see cref="LongestSegmentBytes"/>.</param>
    /// <returns>Length of the segment in bytes.</returns>
    internal int WriteNext(ReadOnlySpan<byte> frame, Span<byte> target)
    {
        int payload = Math.Min(_segmentBytes, _payloadBytes - _sent);
        int length = _headerBytes + payload;
        target = target[..length];
        frame[.._headerBytes].CopyTo(target);
        frame.Slice(_headerBytes + _sent, payload).CopyTo(target[_headerBytes..]);

        bool last = _sent + payload == _payloadBytes;
        int transportLength = length - _transportOffset;
        ulong pseudo = _ipv4 ? FinishIpv4(target, transportLength) : FinishIpv6(target, transportLength);
        Span<byte> transport = target[_transportOffset..];
        if (_tcp)
            FinishTcp(transport, last, pseudo);
        else
            FinishUdp(transport, pseudo);

        _sent += payload;
        _index++;
        return length;
    }

    private readonly void FinishTcp(Span<byte> tcp, bool last, ulong pseudo)
    {
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence + (uint)_sent);
        if (!last)
            tcp[13] &= unchecked((byte)~(TcpFin | TcpPsh));
        if (_index > 0)
            tcp[13] &= unchecked((byte)~TcpCwr);
        BitConverter.TryWriteBytes(tcp[16..], InternetSum.Complement(SumWithout(tcp, 16, pseudo)));
    }

    private readonly void FinishUdp(Span<byte> udp, ulong pseudo)
    {
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)udp.Length);
        if (!_checksum)
            return;
        BitConverter.TryWriteBytes(udp[6..], InternetSum.ComplementNonZero(SumWithout(udp, 6, pseudo)));
    }

    /// <summary>Writes length, identification and header checksum.</summary>
    /// <returns>The sum of the pseudo-header (RFC 9293, 3.1).</returns>
    private readonly ulong FinishIpv4(Span<byte> target, int transportLength)
    {
        Span<byte> ip = target[_networkOffset.._transportOffset];
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)(ip.Length + transportLength));
        ushort identification = BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(identification + _index));
        ip[10] = 0;
        ip[11] = 0;
        BitConverter.TryWriteBytes(ip[10..], InternetSum.Complement(InternetSum.Add(0, ip)));
        return InternetSum.Add(InternetSum.OfWord(ip[9]) + InternetSum.OfWord(transportLength), ip.Slice(12, 8));
    }

    /// <summary>Writes the payload length.</summary>
    /// <returns>The sum of the pseudo-header (RFC 8200, 8.1).</returns>
    private readonly ulong FinishIpv6(Span<byte> target, int transportLength)
    {
        Span<byte> ip = target[_networkOffset.._transportOffset];
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(ip.Length - Ipv6Header + transportLength));
        return InternetSum.Add(InternetSum.OfWord(_tcp ? Tcp : Udp) + InternetSum.OfWord(transportLength), ip.Slice(8, 32));
    }

    /// <summary>Clears the checksum field, as the sum is taken without it, and adds everything up.</summary>
    private static ulong SumWithout(Span<byte> transport, int checksumOffset, ulong pseudo)
    {
        transport.Slice(checksumOffset, 2).Clear();
        return InternetSum.Add(pseudo, transport);
    }

    private bool TrySkipEthernet(ReadOnlySpan<byte> frame, out int etherType)
    {
        etherType = 0;
        for (int offset = ETH_HLEN; offset <= ETH_HLEN + 8 && frame.Length >= offset; offset += 4)
        {
            etherType = BinaryPrimitives.ReadUInt16BigEndian(frame[(offset - 2)..]);
            if (etherType is ETH_P_8021Q or ETH_P_8021AD)
                continue;
            _networkOffset = offset;
            return true;
        }

        return false;
    }

    /// <summary>Finds the transport header behind an IPv4 header.</summary>
    /// <returns>End of the packet in the frame, or 0 when it is not the packet promised.</returns>
    private int SkipIpv4(ReadOnlySpan<byte> frame, byte protocol)
    {
        ReadOnlySpan<byte> ip = frame[_networkOffset..];
        if (ip.Length < Ipv4Minimum || ip[0] >> 4 != 4 || (ip[0] & 0xF) < 5 || ip[9] != protocol)
            return 0;
        // Neither more-fragments nor an offset: a fragment's transport header is not where we would look.
        if ((BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & 0x3FFF) != 0)
            return 0;
        _transportOffset = _networkOffset + ((ip[0] & 0xF) * 4);
        int total = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);
        // A super-frame of more than 64 KB cannot state its length and says 0.
        return total == 0 ? frame.Length : total <= ip.Length ? _networkOffset + total : 0;
    }

    /// <summary>Finds the transport header behind an IPv6 header and its extension headers.</summary>
    /// <returns>End of the packet in the frame, or 0 when it is not the packet promised.</returns>
    private int SkipIpv6(ReadOnlySpan<byte> frame, byte protocol)
    {
        ReadOnlySpan<byte> ip = frame[_networkOffset..];
        if (ip.Length < Ipv6Header || ip[0] >> 4 != 6)
            return 0;
        int payload = BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        if (payload == 0 || payload > ip.Length - Ipv6Header)
            return 0;
        int end = Ipv6Header + payload;
        int next = ip[6];
        int offset = Ipv6Header;
        // Hop-by-hop and destination options say their length in units of 8 bytes, the first not counted. A routing header is not
        // passed over: with it the checksum covers another destination than the header's (RFC 8200, 8.1).
        while (next is 0 or 60)
        {
            if (end - offset < 8)
                return 0;
            next = ip[offset];
            offset += (ip[offset + 1] + 1) * 8;
        }

        if (next != protocol || offset > end)
            return 0;
        _transportOffset = _networkOffset + offset;
        return _networkOffset + end;
    }
}
