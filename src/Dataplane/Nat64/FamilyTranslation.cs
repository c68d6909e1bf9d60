using System.Buffers.Binary;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Native.Abi;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Nat64;

/// <summary>Makes an IPv4 packet of an IPv6 packet and the reverse, where it lies (RFC 7915 4 and 5).</summary>
/// <remarks>The transport header and what follows stay in their place, the new network header and the link header are written before them: a longer one takes its room from
/// the head-room that every port keeps. Checksums by difference, but for UDP datagrams that come without one and get one. Allocates nothing.</remarks>
internal static class FamilyTranslation
{
    private const int UdpChecksumAt = 6, TcpChecksumAt = 16;
    private const ushort DontFragment = 0x4000, MoreFragments = 0x2000;

    /// <summary>Translates a packet that <see cref="OtherFamily.MayLeave"/> has let through; its headers in the batch are those it has then, its key stays.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet.</param>
    /// <param name="entry">Its flow.</param>
    /// <param name="takeTtl">Whether it goes one hop further.</param>
    /// <param name="mayBeCut">Whether what is to be cut later, by who does not know what it was, gets a fragment header to know it by.</param>
    /// <returns>How long it may be, and by which number its fragments belong together.</returns>
    public static TranslatedPacket Translate(WorkerContext context, PacketBatch batch, int i, in FlowEntry entry, bool takeTtl, bool mayBeCut = false)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        Span<byte> packet = batch.Frame(i)[headers.NetworkOffset..headers.EndOffset];
        int at = OtherFamily.PayloadAt(packet, in headers);
        int messageBytes = (batch.Marks[i] & PacketMarks.WholeMessage) != 0 ? (int)batch.Followed[i].End : headers.EndOffset - headers.TransportOffset;
        TranslateTransport(packet, messageBytes, in headers, in entry, (batch.Marks[i] & PacketMarks.Unfinished) != 0);
        if (takeTtl)
        {
            headers.Ttl--;
        }

        int network = batch.Offsets[i] + headers.NetworkOffset, payload = network + at, length = packet.Length - at;
        if (headers.IpVersion == 6)
        {
            ushort word = FragmentWordV4(context, batch, i, packet, length, out ushort identification);
            ReplaceHeader(batch, i, payload, OtherFamily.V4Header);
            WriteV4(batch.Frame(i)[headers.NetworkOffset..], in headers, in entry, word, identification);
            return new TranslatedPacket(int.MaxValue, 0);
        }

        int fragmentWord = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]), number = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        bool isFragment = headers.Fragment != FragmentKind.None || (mayBeCut && (fragmentWord & DontFragment) == 0
            && length + OtherFamily.V6Header > SpecLimits.MinIpv6Mtu && (batch.Marks[i] & PacketMarks.SuperFrame) == 0);
        ReplaceHeader(batch, i, payload, OtherFamily.V6Header + (isFragment ? OtherFamily.FragmentHeader : 0));
        WriteV6(batch.Frame(i)[headers.NetworkOffset..], in headers, in entry, isFragment);
        if (isFragment)
        {
            WriteFragmentHeader(batch.Frame(i)[(headers.NetworkOffset + OtherFamily.V6Header)..], headers.Protocol, (fragmentWord & 0x1FFF) << 3, (fragmentWord & MoreFragments) != 0, (uint)number);
        }

        // What its sender lets be fragmented it does not ask for a length that fits: it must fit every IPv6 link (RFC 7915 4).
        return new TranslatedPacket((fragmentWord & DontFragment) == 0 ? SpecLimits.MinIpv6Mtu : int.MaxValue, (uint)number);
    }

    /// <summary>Writes a fragment header (RFC 8200 4.5).</summary>
    public static void WriteFragmentHeader(Span<byte> target, byte protocol, int offsetBytes, bool hasMore, uint identification)
    {
        (target[0], target[1]) = (protocol, 0);
        BinaryPrimitives.WriteUInt16BigEndian(target[2..], (ushort)(offsetBytes | (hasMore ? 1 : 0)));
        BinaryPrimitives.WriteUInt32BigEndian(target[4..], identification);
    }

    /// <summary>Has a frame begin anew: its link header, of the other family now, moves before a network header of another length.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet, whose headers in the batch are changed with it.</param>
    /// <param name="payload">Where the part behind the network header begins in the batch's memory.</param>
    /// <param name="headerBytes">Length of the network header.</param>
    public static void ReplaceHeader(PacketBatch batch, int i, int payload, int headerBytes)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        int link = headers.NetworkOffset, from = batch.Offsets[i], to = payload - headerBytes - link, end = from + headers.EndOffset;
        Span<byte> memory = batch.Memory;
        memory.Slice(from, link).CopyTo(memory[to..]);
        headers.IpVersion = (byte)(headers.IpVersion == 4 ? 6 : 4);
        headers.EtherType = headers.IpVersion == 4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6;
        headers.Protocol = OtherFamily.ProtocolOf(headers.Protocol, headers.IpVersion);
        BinaryPrimitives.WriteUInt16BigEndian(memory[(to + link - sizeof(ushort))..], headers.EtherType);
        int transport = headers.TransportOffset == 0 ? 0 : from + headers.TransportOffset - to;
        if ((batch.Marks[i] & PacketMarks.SuperFrame) != 0)
        {
            ref PacketOffload offload = ref batch.Offloads[i];
            offload.HeaderBytes = (ushort)(offload.HeaderBytes - (headers.TransportOffset - link) + headerBytes);
            offload.Kind = KindOf(offload.Kind);
        }

        (headers.TransportOffset, headers.EndOffset) = ((ushort)transport, (ushort)(end - to));
        (batch.Offsets[i], batch.Lengths[i]) = (to, end - to);
    }

    private static byte KindOf(byte kind)
    {
        byte marks = (byte)(kind & VirtioNet.VIRTIO_NET_HDR_GSO_ECN);
        return (kind & ~VirtioNet.VIRTIO_NET_HDR_GSO_ECN) switch
        {
            VirtioNet.VIRTIO_NET_HDR_GSO_TCPV4 => (byte)(VirtioNet.VIRTIO_NET_HDR_GSO_TCPV6 | marks),
            VirtioNet.VIRTIO_NET_HDR_GSO_TCPV6 => (byte)(VirtioNet.VIRTIO_NET_HDR_GSO_TCPV4 | marks),
            _ => kind,
        };
    }

    /// <summary>Flags and offset of the IPv4 packet, and its number (RFC 7915 5.1 and 5.1.1).</summary>
    private static ushort FragmentWordV4(WorkerContext context, PacketBatch batch, int i, ReadOnlySpan<byte> packet, int payloadBytes, out ushort identification)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        if (OtherFamily.HasFragmentHeader(packet, in headers))
        {
            ReadOnlySpan<byte> header = packet[OtherFamily.FragmentHeaderAt(packet)..];
            int place = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
            identification = (ushort)BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
            return (ushort)((place >> 3) | ((place & 1) != 0 ? MoreFragments : 0));
        }

        int length = (batch.Marks[i] & PacketMarks.SuperFrame) == 0 ? payloadBytes + OtherFamily.V4Header
            : batch.Offloads[i].HeaderBytes + batch.Offloads[i].SegmentBytes - (headers.TransportOffset - headers.NetworkOffset) + OtherFamily.V4Header;
        bool mayBeFragmented = length <= OtherFamily.MayBeFragmented;

        // What nobody may fragment needs no number of its own (RFC 6864 4.1).
        identification = mayBeFragmented ? context.NextIdentification() : (ushort)0;
        return mayBeFragmented ? (ushort)0 : DontFragment;
    }

    private static void WriteV4(Span<byte> target, in PacketHeaders headers, in FlowEntry entry, ushort word, ushort identification)
    {
        (target[0], target[1]) = (0x45, headers.Tos);
        BinaryPrimitives.WriteUInt16BigEndian(target[2..], (ushort)(headers.EndOffset - headers.NetworkOffset));
        BinaryPrimitives.WriteUInt16BigEndian(target[4..], identification);
        BinaryPrimitives.WriteUInt16BigEndian(target[6..], word);
        (target[8], target[9]) = (headers.Ttl, headers.Protocol);
        BinaryPrimitives.WriteUInt16BigEndian(target[10..], 0);
        BinaryPrimitives.WriteUInt64BigEndian(target[12..], (entry.NewSourceLow << 32) | (uint)entry.NewDestinationLow);
        BinaryPrimitives.WriteUInt16BigEndian(target[10..], InternetChecksum.Compute(target[..OtherFamily.V4Header]));
    }

    private static void WriteV6(Span<byte> target, in PacketHeaders headers, in FlowEntry entry, bool isFragment)
    {
        BinaryPrimitives.WriteUInt32BigEndian(target, 0x6000_0000 | ((uint)headers.Tos << 20));
        BinaryPrimitives.WriteUInt16BigEndian(target[4..], (ushort)(headers.EndOffset - headers.NetworkOffset - OtherFamily.V6Header));
        (target[6], target[7]) = (isFragment ? IpProtocols.Fragment : headers.Protocol, headers.Ttl);
        BinaryPrimitives.WriteUInt64BigEndian(target[8..], entry.NewSourceHigh);
        BinaryPrimitives.WriteUInt64BigEndian(target[16..], entry.NewSourceLow);
        BinaryPrimitives.WriteUInt64BigEndian(target[24..], entry.NewDestinationHigh);
        BinaryPrimitives.WriteUInt64BigEndian(target[32..], entry.NewDestinationLow);
    }

    private static void TranslateTransport(Span<byte> packet, int messageBytes, in PacketHeaders headers, in FlowEntry entry, bool isUnfinished)
    {
        if (headers.Fragment == FragmentKind.Later)
        {
            return;
        }

        Span<byte> transport = packet[(headers.TransportOffset - headers.NetworkOffset)..];
        if (headers.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6)
        {
            TranslateEcho(transport, messageBytes, in entry);
            return;
        }

        if (headers.Protocol is not (IpProtocols.Tcp or IpProtocols.Udp))
        {
            // Whatever it is, it is passed on as it is (RFC 7915 4.5 and 5.5).
            return;
        }

        BinaryPrimitives.WriteUInt32BigEndian(transport, entry.NewPorts);
        Span<byte> field = transport[(headers.Protocol == IpProtocols.Tcp ? TcpChecksumAt : UdpChecksumAt)..];
        ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(field);
        if (headers.Protocol == IpProtocols.Tcp)
        {
            BinaryPrimitives.WriteUInt16BigEndian(field, InternetChecksum.Adjust(checksum, entry.TransportDelta));
        }
        else if (checksum != 0 || headers.IpVersion == 6 || isUnfinished)
        {
            // None over IPv6 is of tunnels that know what they do (RFC 6935), and none it stays.
            BinaryPrimitives.WriteUInt16BigEndian(field, InternetChecksum.AdjustUdp(checksum, entry.TransportDelta));
        }
        else
        {
            // IPv6 has no datagrams without (RFC 7915 4.5).
            uint pseudo = InternetChecksum.PseudoHeader(entry.NewSource, entry.NewDestination, IpProtocols.Udp, (uint)transport.Length);
            BinaryPrimitives.WriteUInt16BigEndian(field, InternetChecksum.ZeroAsOnes(InternetChecksum.Compute(transport, pseudo)));
        }
    }

    /// <summary>Only the checksum of ICMPv6 covers addresses and length (RFC 4443 2.3), that of the whole message.</summary>
    private static void TranslateEcho(Span<byte> message, int messageBytes, in FlowEntry entry)
    {
        bool fromV6 = entry.Key.Family == 6;
        ushort pseudo = InternetChecksum.Fold(fromV6
            ? InternetChecksum.PseudoHeader(entry.Key.Source, entry.Key.Destination, IpProtocols.Icmpv6, (uint)messageBytes)
            : InternetChecksum.PseudoHeader(entry.NewSource, entry.NewDestination, IpProtocols.Icmpv6, (uint)messageBytes));
        byte type = IcmpEcho.TypeOf(message[0], isV4: fromV6);
        ushort delta = InternetChecksum.Combine(entry.TransportDelta, InternetChecksum.Delta((ushort)(message[0] << 8), (ushort)(type << 8)));
        delta = InternetChecksum.Combine(delta, fromV6 ? InternetChecksum.Delta(pseudo, (ushort)0) : InternetChecksum.Delta((ushort)0, pseudo));
        message[0] = type;
        Span<byte> field = message[IcmpEcho.ChecksumAt..];
        BinaryPrimitives.WriteUInt16BigEndian(field, InternetChecksum.Adjust(BinaryPrimitives.ReadUInt16BigEndian(field), delta));
        BinaryPrimitives.WriteUInt16BigEndian(message[IcmpEcho.IdentifierAt..], (ushort)entry.NewPorts);
    }
}
