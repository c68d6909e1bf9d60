using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Dataplane.Flows;
using Dataplane.Pipeline;

namespace Dataplane.Packets;

/// <summary>Finds the headers of every packet of a batch in one pass, makes its flow key and its hash.</summary>
/// <remarks>
/// Input: raw frames. Output: <see cref="PacketHeaders"/>, key, hash. Drops: truncated and malformed packets, by reason.
/// State: none. Cost: whole TCP and UDP packets without tags, options and extension headers take the short way, one load to know it; one
/// header line per packet. Whatever is odd about a packet, the long way finds it, and names it.
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
        FlowHash hasher = hash;
        ref PacketLane<int> offsets = ref batch.Offsets, lengths = ref batch.Lengths;
        Span<ParsedFrame> parsed = batch.Parsed.Slice(0, batch.Count);
        for (int i = 0; i < parsed.Length; i++)
        {
            ReadOnlySpan<byte> frame = memory.Slice(offsets[(byte)i], Math.Min(lengths[(byte)i], ushort.MaxValue));
            if (!TryParsePlainIpv4(frame, ref parsed[i], in hasher))
            {
                ParseFurther(batch, i, frame, in hash);
            }
        }
    }

    /// <summary>What the shortest way leaves.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)] // Inlined, it would take registers from the loop.
    private static void ParseFurther(PacketBatch batch, int i, ReadOnlySpan<byte> frame, in FlowHash hash)
    {
        if (!TryParsePlainIpv6(frame, ref batch.Parsed[i], in hash))
        {
            ParseOther(batch, i, frame, in hash);
        }
    }

    /// <summary>Parses one packet that has become another.</summary>
    public static void ProcessOne(PacketBatch batch, int i, in FlowHash hash) =>
        ParseOther(batch, i, batch.Memory.Slice(batch.Offsets[i], Math.Min(batch.Lengths[i], ushort.MaxValue)), in hash);

    private static void ParseOther(PacketBatch batch, int i, ReadOnlySpan<byte> frame, in FlowHash hash)
    {
        ref PacketHeaders headers = ref batch.Parsed[i].Headers;
        ref FlowKey key = ref batch.Parsed[i].Key;
        DropReason reason = Parse(frame, ref headers, ref key);
        if (reason != DropReason.None)
        {
            // The port may have dropped it before, for a reason that comes first.
            if (batch.Verdicts[i] == Verdict.Continue)
            {
                batch.Drop(i, reason);
            }

            return;
        }

        // All fragments of a packet must take one way, so their hash leaves the ports out: only the first has them.
        batch.HasFragments |= headers.Fragment != FragmentKind.None;
        batch.Parsed[i].Hash = headers.Fragment == FragmentKind.None ? hash.Of(in key) : hash.OfAddresses(in key);
    }

    /// <summary>Finds headers, key and hash of one frame, as <see cref="Process"/> does; without an IP packet that could be forwarded its version is 0.</summary>
    internal static void Look(ReadOnlySpan<byte> frame, ref ParsedFrame parsed, in FlowHash hash)
    {
        frame = frame[..Math.Min(frame.Length, ushort.MaxValue)];
        if (TryParsePlainIpv4(frame, ref parsed, in hash) || TryParsePlainIpv6(frame, ref parsed, in hash))
        {
            return;
        }

        if (Parse(frame, ref parsed.Headers, ref parsed.Key) != DropReason.None)
        {
            parsed.Headers = default;
            return;
        }

        parsed.Hash = parsed.Headers.Fragment == FragmentKind.None ? hash.Of(in parsed.Key) : hash.OfAddresses(in parsed.Key);
    }

    /// <summary>Parses one frame of any kind.</summary>
    /// <returns><see cref="DropReason.None"/>, or why the frame cannot be forwarded; what was found until then is in the headers.</returns>
    public static DropReason Parse(ReadOnlySpan<byte> frame, ref PacketHeaders headers, ref FlowKey key) =>
        ParseGeneral(frame[..Math.Min(frame.Length, ushort.MaxValue)], ref headers, ref key);

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
                return !holds ? DropReason.BadIpChecksum : offsetBytes + totalLength > ushort.MaxValue || CoversTcpHeader(headers.Protocol, offsetBytes)
                    ? DropReason.BadFragment : DropReason.None;
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
