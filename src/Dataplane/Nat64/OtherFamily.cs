using System.Buffers.Binary;
using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;

namespace Dataplane.Nat64;

/// <summary>What a packet is as one of the other family (RFC 7915): how long, and whether it may become one at all.</summary>
internal static class OtherFamily
{
    /// <summary>Header lengths in bytes, without options and extension headers.</summary>
    public const int V4Header = 20, V6Header = 40, FragmentHeader = 8;

    /// <summary>Up to this length an IPv4 packet that was IPv6 may be fragmented on its way: its sender believes that no link carries less (RFC 7915 5.1).</summary>
    public const int MayBeFragmented = SpecLimits.MinIpv6Mtu - V4Header;

    private const int NextHeaderAt = 6;

    /// <summary>Unfinished source routes among the options of IPv4 (RFC 791 3.1).</summary>
    private const byte LooseSourceRoute = 131, StrictSourceRoute = 137, NoOperation = 1;

    /// <summary>A protocol's number in a family: only that of ICMP depends on it.</summary>
    public static byte ProtocolOf(byte protocol, byte family) =>
        protocol is IpProtocols.Icmp or IpProtocols.Icmpv6 ? family == 4 ? IpProtocols.Icmp : IpProtocols.Icmpv6 : protocol;

    /// <summary>Whether a packet of a flow between the families may go on by a link; if not, it is dropped and its sender told.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="i">The packet, as it came.</param>
    /// <param name="mtu">Longest packet of the link.</param>
    public static bool MayLeave(WorkerContext context, PacketBatch batch, int i, int mtu)
    {
        ref readonly PacketHeaders headers = ref batch.Parsed[i].Headers;
        ReadOnlySpan<byte> packet = batch.Frame(i)[headers.NetworkOffset..headers.EndOffset];
        if (headers.IpVersion == 4 && IsSourceRouted(packet))
        {
            IcmpErrors.SendSourceRouteFailed(context, batch, i);
            batch.Drop(i, DropReason.NatUnsupported);
            return false;
        }

        if (headers.Fragment != FragmentKind.None && !IsTranslatable(packet, in headers, (batch.Marks[i] & (PacketMarks.WholeMessage | PacketMarks.Followed)) != 0))
        {
            batch.Drop(i, DropReason.NatUnsupported);
            return false;
        }

        // Headers that every segment of a super-frame repeats change as the packet's do.
        int length = LengthOf(packet, in headers), told = length - packet.Length;
        bool isSuper = (batch.Marks[i] & PacketMarks.SuperFrame) != 0;
        length = isSuper ? batch.Offloads[i].HeaderBytes + batch.Offloads[i].SegmentBytes + told : length;
        bool isCut = !isSuper || headers.Protocol == IpProtocols.Tcp;
        bool mayFragment = isCut && (headers.IpVersion == 4 ? (packet[6] & 0x40) == 0 : length <= MayBeFragmented || HasFragmentHeader(packet, in headers));
        if (length <= mtu || mayFragment)
        {
            return true;
        }

        // Nobody sends less than every IPv6 link carries for it; what then is too long still is fragmented.
        int most = headers.IpVersion == 4 ? mtu - (V6Header - V4Header) - (headers.Fragment == FragmentKind.None ? 0 : FragmentHeader)
            : Math.Max(mtu + (V6Header - V4Header), SpecLimits.MinIpv6Mtu);
        IcmpErrors.SendTooBig(context, batch, i, most);
        batch.Drop(i, DropReason.PacketTooBig);
        return false;
    }

    /// <summary>Where the part of a packet begins that both families have in common, from the network header: behind options and extension headers.</summary>
    public static int PayloadAt(ReadOnlySpan<byte> packet, in PacketHeaders headers)
    {
        if (headers.IpVersion == 4)
        {
            return (packet[0] & 0x0F) << 2;
        }

        return headers.Fragment == FragmentKind.None ? headers.TransportOffset - headers.NetworkOffset : FragmentHeaderAt(packet) + FragmentHeader;
    }

    /// <summary>Where the fragment header of an IPv6 packet begins whose extension headers the parser found sound; 0 when there is none.</summary>
    public static int FragmentHeaderAt(ReadOnlySpan<byte> packet)
    {
        byte next = packet[6];
        for (int at = V6Header; at + FragmentHeader <= packet.Length;)
        {
            switch (next)
            {
                case IpProtocols.Fragment:
                    return at;
                case IpProtocols.HopByHop or IpProtocols.Routing or IpProtocols.DestinationOptions or IpProtocols.Authentication:
                    int length = next == IpProtocols.Authentication ? (packet[at + 1] + 2) << 2 : (packet[at + 1] + 1) << 3;
                    next = packet[at];
                    at += length;
                    break;
                default:
                    return 0;
            }
        }

        return 0;
    }

    /// <summary>Whether an IPv6 packet may be cut that was IPv4 (RFC 7915 4): it comes from a host that speaks IPv4, and has a fragment header already.</summary>
    public static bool MayBeCut(ForwardingTables tables, PacketBatch batch, int i) => tables.Siit is { } siit && batch.Parsed[i].Headers.IpVersion == 6
        && batch.Frame(i)[batch.Parsed[i].Headers.NetworkOffset + NextHeaderAt] == IpProtocols.Fragment && siit.IsV4Host(batch.Parsed[i].Key.Source);

    /// <summary>Whether an IPv6 packet has a fragment header, be it a fragment or whole (RFC 6946).</summary>
    public static bool HasFragmentHeader(ReadOnlySpan<byte> packet, in PacketHeaders headers) =>
        headers.Fragment != FragmentKind.None || (headers.TransportOffset - headers.NetworkOffset > V6Header && FragmentHeaderAt(packet) > 0);

    private static int LengthOf(ReadOnlySpan<byte> packet, in PacketHeaders headers)
    {
        int payload = packet.Length - PayloadAt(packet, in headers);
        return headers.IpVersion == 6 ? payload + V4Header : payload + V6Header + (headers.Fragment == FragmentKind.None ? 0 : FragmentHeader);
    }

    /// <summary>Whether a fragment can be translated: the checksum of ICMPv6 covers the length of the whole message, and a UDP datagram without a checksum has to be there as a whole
    /// to get one (RFC 7915 4.5), which <see cref="Reassembly.WholeDatagrams"/> sees to. What stands between fragment and transport header has no place in IPv4.</summary>
    private static bool IsTranslatable(ReadOnlySpan<byte> packet, in PacketHeaders headers, bool isWhole)
    {
        if (headers is { IpVersion: 6, Fragment: FragmentKind.First } && headers.TransportOffset - headers.NetworkOffset != PayloadAt(packet, in headers))
        {
            return false;
        }

        if (headers.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6)
        {
            return isWhole;
        }

        return headers.IpVersion == 6 || headers.Protocol != IpProtocols.Udp || headers.Fragment != FragmentKind.First
            || BinaryPrimitives.ReadUInt16BigEndian(packet[(headers.TransportOffset - headers.NetworkOffset + 6)..]) != 0;
    }

    private static bool IsSourceRouted(ReadOnlySpan<byte> packet)
    {
        ReadOnlySpan<byte> options = packet[V4Header..((packet[0] & 0x0F) << 2)];
        while (options.Length > 0 && options[0] != 0)
        {
            if (options[0] == NoOperation)
            {
                options = options[1..];
                continue;
            }

            if (options.Length < 3 || options[1] < 2 || options[1] > options.Length)
            {
                return false;
            }

            // The pointer behind the last address: it has been everywhere.
            if (options[0] is LooseSourceRoute or StrictSourceRoute && options[2] <= options[1])
            {
                return true;
            }

            options = options[options[1]..];
        }

        return false;
    }
}
