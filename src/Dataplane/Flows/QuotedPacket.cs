using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Flows;

/// <summary>The beginning of a packet as an ICMP error quotes it: at least the ports, possibly no more.</summary>
internal readonly struct QuotedPacket
{
    private readonly int _transport;
    private readonly bool _isV4;

    private QuotedPacket(FlowKey key, int transport, bool isV4)
    {
        Key = key;
        _transport = transport;
        _isV4 = isV4;
    }

    /// <summary>The quoted packet's flow.</summary>
    public FlowKey Key { get; }

    /// <summary>Reads packets that are no later fragments: TCP, UDP, echo, and protocols without ports, whose flows are their addresses; no other ICMP message.
    /// IPv6 extension headers are stepped over, as far as they are quoted.</summary>
    public static bool TryRead(ReadOnlySpan<byte> quoted, bool isV4, out QuotedPacket packet)
    {
        packet = default;
        int header = isV4 ? 20 : 40;
        if (quoted.Length < header + 8 || quoted[0] >> 4 != (isV4 ? 4 : 6))
        {
            return false;
        }

        byte protocol = quoted[isV4 ? 9 : 6];
        if (isV4)
        {
            header = (quoted[0] & 0x0F) << 2;
            if (header < 20 || quoted.Length < header + 8 || (BinaryPrimitives.ReadUInt16BigEndian(quoted[6..]) & 0x1FFF) != 0)
            {
                return false;
            }
        }
        else if (!TryStepOver(quoted, ref header, ref protocol))
        {
            return false;
        }

        bool isEcho = IcmpEcho.Is(protocol, quoted[header]), hasPorts = protocol is IpProtocols.Tcp or IpProtocols.Udp;
        if (!isEcho && protocol is (IpProtocols.Icmp or IpProtocols.Icmpv6))
        {
            return false;
        }

        IpAddress source = isV4 ? IpAddress.ReadV4(quoted[12..]) : IpAddress.ReadV6(quoted[8..]);
        IpAddress destination = isV4 ? IpAddress.ReadV4(quoted[16..]) : IpAddress.ReadV6(quoted[24..]);
        ushort sourcePort = isEcho || hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(quoted[(header + (isEcho ? IcmpEcho.IdentifierAt : 0))..]) : (ushort)0;
        ushort destinationPort = hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(quoted[(header + 2)..]) : sourcePort;
        packet = new QuotedPacket(FlowKey.Create(source, sourcePort, destination, destinationPort, protocol), header, isV4);
        return true;
    }

    /// <summary>Steps over IPv6 extension headers until the transport header, of which the ports at least must be quoted.</summary>
    private static bool TryStepOver(ReadOnlySpan<byte> quoted, ref int header, ref byte protocol)
    {
        const int MostHeaders = 8;
        for (int walked = 0; walked < MostHeaders; walked++)
        {
            int length = protocol switch
            {
                IpProtocols.Fragment => 8,
                IpProtocols.HopByHop or IpProtocols.DestinationOptions => (quoted[header + 1] + 1) << 3,
                IpProtocols.Authentication => (quoted[header + 1] + 2) << 2,
                _ => 0,
            };
            if (length == 0)
            {
                return true;
            }

            // The first fragment, or a packet that is whole (RFC 6946); of later ones nobody knows the ports.
            if (quoted.Length < header + length + 8 || (protocol == IpProtocols.Fragment && (BinaryPrimitives.ReadUInt16BigEndian(quoted[(header + 2)..]) & 0xFFF8) != 0))
            {
                return false;
            }

            protocol = quoted[header];
            header += length;
        }

        return false;
    }

    /// <summary>Where its transport header begins.</summary>
    public int TransportAt => _transport;

    /// <summary>The sequence number of a TCP segment; of others what stands in its place.</summary>
    public uint SequenceIn(ReadOnlySpan<byte> quoted) => BinaryPrimitives.ReadUInt32BigEndian(quoted[(_transport + 4)..]);

    /// <summary>Writes other addresses and ports into the quotation and adjusts the checksums it contains.</summary>
    public void Rewrite(Span<byte> quoted, IpAddress source, ushort sourcePort, IpAddress destination, ushort destinationPort)
    {
        ushort addresses = InternetChecksum.Combine(InternetChecksum.Delta(Key.Source, source), InternetChecksum.Delta(Key.Destination, destination));
        source.Write(quoted[(_isV4 ? 12 : 8)..]);
        destination.Write(quoted[(_isV4 ? 16 : 24)..]);
        if (_isV4)
        {
            Adjust(quoted[10..], addresses);
        }

        RewriteTransport(quoted, source, sourcePort, destination, destinationPort);
    }

    /// <summary>The same for ports and the checksum of the transport header alone; addresses may be of the other family.</summary>
    public void RewriteTransport(Span<byte> quoted, IpAddress source, ushort sourcePort, IpAddress destination, ushort destinationPort)
    {
        ushort addresses = InternetChecksum.Combine(InternetChecksum.Delta(Key.Source, source), InternetChecksum.Delta(Key.Destination, destination));
        uint ports = ((uint)sourcePort << 16) | destinationPort;
        ushort all = InternetChecksum.Combine(addresses, InternetChecksum.Delta((uint)(Key.Transport >> 32), ports));
        Span<byte> transport = quoted[_transport..];
        if (Key.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6)
        {
            RewriteEcho(quoted, transport, source, sourcePort, destination);
            return;
        }

        BinaryPrimitives.WriteUInt32BigEndian(transport, ports);
        if (Key.Protocol == IpProtocols.Udp)
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport[6..], InternetChecksum.AdjustUdp(BinaryPrimitives.ReadUInt16BigEndian(transport[6..]), all));
        }
        else if (transport.Length >= 18)
        {
            Adjust(transport[16..], all);
        }
    }

    /// <summary>The identifier stands in the message once; addresses and length are covered by ICMPv6 only, which has other numbers for its types.</summary>
    private void RewriteEcho(ReadOnlySpan<byte> quoted, Span<byte> message, IpAddress source, ushort identifier, IpAddress destination)
    {
        int length = _isV4 ? BinaryPrimitives.ReadUInt16BigEndian(quoted[2..]) - _transport : BinaryPrimitives.ReadUInt16BigEndian(quoted[4..]) + 40 - _transport;
        ushort delta = InternetChecksum.Delta(Key.SourcePort, identifier);
        if (source.Family != Key.Source.Family)
        {
            byte type = IcmpEcho.TypeOf(message[0], source.IsIpv4);
            delta = InternetChecksum.Combine(delta, InternetChecksum.Delta((ushort)(message[0] << 8), (ushort)(type << 8)));
            message[0] = type;
        }

        ushort before = _isV4 ? (ushort)0 : PseudoHeader(Key.Source, Key.Destination, length), after = source.IsIpv4 ? (ushort)0 : PseudoHeader(source, destination, length);
        delta = InternetChecksum.Combine(delta, InternetChecksum.Delta(before, after));
        BinaryPrimitives.WriteUInt16BigEndian(message[IcmpEcho.IdentifierAt..], identifier);
        Adjust(message[IcmpEcho.ChecksumAt..], delta);
    }

    private static ushort PseudoHeader(IpAddress source, IpAddress destination, int length) =>
        InternetChecksum.Fold(InternetChecksum.PseudoHeader(source, destination, IpProtocols.Icmpv6, (uint)Math.Max(length, 0)));

    private static void Adjust(Span<byte> field, ushort delta) =>
        BinaryPrimitives.WriteUInt16BigEndian(field, InternetChecksum.Adjust(BinaryPrimitives.ReadUInt16BigEndian(field), delta));
}
