using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Dataplane.Flows;
using Dataplane.Pipeline;

namespace Dataplane.Packets;

/// <summary>Finds the headers of every packet of a batch in one pass, makes its flow key and its hash.</summary>
/// <remarks>
/// Input: raw frames. Output: <see cref="PacketHeaders"/>, key, hash. Drops: truncated and malformed packets, by reason.
/// State: none. Cost: untagged IPv4 without options takes the short way, two loads to know it; one header line per packet.
/// Nothing in a frame is believed before it is compared with the frame's length, and every access is a checked span access:
/// no input throws or reads outside.
/// </remarks>
internal static partial class PacketParser
{
    private const int EthernetHeader = 14;
    private const int MinIpv4Header = 20;
    private const int MinTcpHeader = 20;
    private const int UdpHeader = 8;
    private const int IcmpHeader = 8;

    /// <summary>Parses the packets that are still undecided.</summary>
    public static void Process(PacketBatch batch, in FlowHash hash)
    {
        ReadOnlySpan<byte> memory = batch.Memory;
        int count = batch.Count;
        Span<int> offsets = batch.Offsets.AsSpan(0, count);
        Span<int> lengths = batch.Lengths.AsSpan(0, count);
        for (int i = 0; i < offsets.Length; i++)
        {
            ReadOnlySpan<byte> frame = memory.Slice(offsets[i], Math.Min(lengths[i], ushort.MaxValue));
            ref PacketHeaders headers = ref batch.Headers[i];
            ref FlowKey key = ref batch.Keys[i];
            DropReason reason = IsPlainIpv4(frame)
                ? ParsePlainIpv4(frame, ref headers, ref key)
                : ParseGeneral(frame, ref headers, ref key);
            if (reason != DropReason.None)
            {
                batch.Drop(i, reason);
                continue;
            }

            // All fragments of a packet must take one way, so their hash leaves the ports out: only the first has them.
            batch.Hashes[i] = headers.Fragment == FragmentKind.None ? hash.Of(in key) : hash.OfAddresses(in key);
        }
    }

    /// <summary>Parses one frame.</summary>
    /// <returns><see cref="DropReason.None"/>, or why the frame cannot be forwarded; what was found until then is in the headers.</returns>
    public static DropReason Parse(ReadOnlySpan<byte> frame, ref PacketHeaders headers, ref FlowKey key) =>
        frame.Length > ushort.MaxValue ? ParseGeneral(frame[..ushort.MaxValue], ref headers, ref key)
        : IsPlainIpv4(frame) ? ParsePlainIpv4(frame, ref headers, ref key) : ParseGeneral(frame, ref headers, ref key);

    /// <summary>EtherType 0x0800, version 4 and no options: four bytes in one load.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsPlainIpv4(ReadOnlySpan<byte> frame) =>
        frame.Length >= EthernetHeader + MinIpv4Header && BinaryPrimitives.ReadUInt32BigEndian(frame[12..]) >> 8 == 0x080045;

    private static DropReason ParsePlainIpv4(ReadOnlySpan<byte> frame, ref PacketHeaders headers, ref FlowKey key)
    {
        headers = new PacketHeaders
        {
            EtherType = EtherTypes.Ipv4,
            NetworkOffset = EthernetHeader,
            IpVersion = 4,
            Tos = frame[15],
            Ttl = frame[22],
            Protocol = frame[23],
        };
        return ParseIpv4Rest(frame, EthernetHeader, MinIpv4Header, ref headers, ref key);
    }

    /// <summary>From the lengths on; <paramref name="headerLength"/> bytes of IPv4 header are known to be there.</summary>
    private static DropReason ParseIpv4Rest(ReadOnlySpan<byte> frame, int network, int headerLength, ref PacketHeaders headers, ref FlowKey key)
    {
        ReadOnlySpan<byte> header = frame.Slice(network, headerLength);
        uint source = BinaryPrimitives.ReadUInt32BigEndian(header[12..]);
        uint destination = BinaryPrimitives.ReadUInt32BigEndian(header[16..]);
        key.SourceHigh = 0;
        key.DestinationHigh = 0;
        key.SourceLow = source;
        key.DestinationLow = destination;
        key.Transport = FlowKey.PackTransport(0, 0, headers.Protocol, 4);

        int totalLength = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
        if (totalLength < headerLength)
        {
            return DropReason.BadIpLength;
        }

        int end = network + totalLength;
        headers.EndOffset = (ushort)Math.Min(end, frame.Length);
        if (end > frame.Length)
        {
            return DropReason.TruncatedIp;
        }

        // A wrong header is dropped, but read to its end: whoever explains or captures the packet wants to know what it was.
        bool holds = HeaderChecksumHolds(header);
        int transport = network + headerLength;
        int fragment = BinaryPrimitives.ReadUInt16BigEndian(header[6..]) & 0x3FFF;
        if (fragment != 0)
        {
            int offsetBytes = (fragment & 0x1FFF) << 3;
            headers.Fragment = offsetBytes != 0 ? FragmentKind.Later : FragmentKind.First;
            if (offsetBytes != 0)
            {
                return !holds ? DropReason.BadIpChecksum : offsetBytes + totalLength > ushort.MaxValue ? DropReason.BadFragment : DropReason.None;
            }
        }

        headers.TransportOffset = (ushort)transport;
        DropReason rest = ParseTransport(frame[..end], transport, ref headers, ref key);
        return holds ? rest : DropReason.BadIpChecksum;
    }

    /// <summary>One's complement sum over the header is 0xFFFF when its checksum is right (RFC 1071).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HeaderChecksumHolds(ReadOnlySpan<byte> header)
    {
        // The sum does not depend on byte order, so words are read as they lie; 32-bit words into 64 bits cannot overflow.
        ulong sum = 0;
        for (; header.Length >= 4; header = header[4..])
        {
            sum += BinaryPrimitives.ReadUInt32LittleEndian(header);
        }

        sum = (sum & 0xFFFFFFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        return sum == 0xFFFF;
    }

    /// <summary>Reads ports, identifiers and flags of a whole packet or a first fragment.</summary>
    private static DropReason ParseTransport(ReadOnlySpan<byte> packet, int offset, ref PacketHeaders headers, ref FlowKey key)
    {
        ReadOnlySpan<byte> transport = packet[offset..];
        DropReason truncated = headers.Fragment == FragmentKind.First ? DropReason.BadFragment : DropReason.TruncatedTransport;
        switch (headers.Protocol)
        {
            case IpProtocols.Tcp:
                if (transport.Length < MinTcpHeader)
                {
                    return truncated;
                }

                headers.TcpFlags = transport[13];
                int dataOffset = (transport[12] >> 4) << 2;
                key.Transport |= (ulong)BinaryPrimitives.ReadUInt32BigEndian(transport) << 32;
                return dataOffset < MinTcpHeader || dataOffset > transport.Length ? truncated : DropReason.None;

            case IpProtocols.Udp:
                if (transport.Length < UdpHeader)
                {
                    return truncated;
                }

                key.Transport |= (ulong)BinaryPrimitives.ReadUInt32BigEndian(transport) << 32;
                int length = BinaryPrimitives.ReadUInt16BigEndian(transport[4..]);
                return length < UdpHeader || (length > transport.Length && headers.Fragment == FragmentKind.None)
                    ? DropReason.TruncatedTransport
                    : DropReason.None;

            case IpProtocols.Icmp when headers.IpVersion == 4:
            case IpProtocols.Icmpv6 when headers.IpVersion == 6:
                if (transport.Length < IcmpHeader)
                {
                    return truncated;
                }

                if (IsEcho(transport[0], headers.IpVersion))
                {
                    ulong identifier = BinaryPrimitives.ReadUInt16BigEndian(transport[4..]);
                    key.Transport |= (identifier << 48) | (identifier << 32);
                }

                return DropReason.None;

            default:
                return DropReason.None;
        }
    }

    private static bool IsEcho(byte type, byte version) => version == 4 ? type is 0 or 8 : type is 128 or 129;
}
