namespace Dataplane.Packets;

/// <content>Checksums of TCP, UDP, ICMP and ICMPv6 found by walking a whole IP packet.</content>
public static partial class InternetChecksum
{
    /// <summary>The checksum the transport header of a packet should hold; UDP gives 0xFFFF for 0 (RFC 768, RFC 8200 8.1).</summary>
    /// <param name="ipPacket">From the IP version byte on; link padding behind is allowed.</param>
    /// <param name="checksum">The checksum in host order, when the result is true.</param>
    /// <returns>False for fragments, other protocols, and packets cut off or malformed.</returns>
    public static bool TryComputeTransport(ReadOnlySpan<byte> ipPacket, out ushort checksum)
    {
        bool found = TryLocate(ipPacket, out Covered covered);
        checksum = found ? Compute(ipPacket, covered) : (ushort)0;
        return found;
    }

    /// <summary>Writes the transport checksum of a packet.</summary>
    /// <param name="ipPacket">From the IP version byte on; link padding behind is allowed.</param>
    /// <returns>False, with nothing written, where <see cref="TryComputeTransport"/> is false.</returns>
    public static bool TryFillTransport(Span<byte> ipPacket)
    {
        if (!TryLocate(ipPacket, out Covered covered))
        {
            return false;
        }

        NetworkOrder.WriteUInt16(ipPacket, covered.ChecksumOffset, Compute(ipPacket, covered));
        return true;
    }

    /// <summary>Checks the transport checksum of a packet.</summary>
    /// <param name="ipPacket">From the IP version byte on; link padding behind is allowed.</param>
    public static ChecksumStatus VerifyTransport(ReadOnlySpan<byte> ipPacket)
    {
        if (!TryLocate(ipPacket, out Covered covered))
        {
            return ChecksumStatus.NotApplicable;
        }

        if (covered.Protocol == IpProtocols.Udp && NetworkOrder.ReadUInt16(ipPacket, covered.ChecksumOffset) == 0)
        {
            return ChecksumStatus.Absent;
        }

        return Verify(ipPacket.Slice(covered.Offset, covered.LengthBytes), covered.PseudoHeader) ? ChecksumStatus.Valid : ChecksumStatus.Invalid;
    }

    private static ushort Compute(ReadOnlySpan<byte> ipPacket, in Covered covered)
    {
        // In two pieces around the checksum field: taking the old value out of a sum over all cannot tell 0 from 0xFFFF (RFC 1624, 3).
        ReadOnlySpan<byte> before = ipPacket[covered.Offset..covered.ChecksumOffset];
        ReadOnlySpan<byte> behind = ipPacket[(covered.ChecksumOffset + 2)..(covered.Offset + covered.LengthBytes)];
        ushort checksum = Compute(behind, covered.PseudoHeader + Sum(before));
        return covered.Protocol == IpProtocols.Udp ? ZeroAsOnes(checksum) : checksum;
    }

    private static bool TryLocate(ReadOnlySpan<byte> ipPacket, out Covered covered)
    {
        covered = default;
        if (Ipv4View.TryParse(ipPacket, out Ipv4View v4))
        {
            return v4.Fragment == FragmentKind.None && v4.Protocol != IpProtocols.Icmpv6
                && TryCover(v4.Payload, v4.HeaderLengthBytes, v4.Protocol, v4.Source, v4.FinalDestination, out covered);
        }

        if (!Ipv6View.TryParse(ipPacket, out Ipv6View v6))
        {
            return false;
        }

        IpAddress destination = v6.Destination;
        Ipv6ExtensionWalker walker = v6.Extensions;
        while (walker.MoveNext())
        {
            if (walker.Current.Protocol == IpProtocols.Routing
                && !(Ipv6RoutingView.TryParse(walker.Current.Bytes, out Ipv6RoutingView routing) && routing.TryGetFinalDestination(ref destination)))
            {
                return false;
            }
        }

        Ipv6ExtensionChain chain = walker.Chain;
        return chain.HasUpperHeader && chain.Fragment == FragmentKind.None && chain.UpperProtocol != IpProtocols.Icmp
            && TryCover(v6.Bytes[chain.UpperOffset..], chain.UpperOffset, chain.UpperProtocol, v6.Source, destination, out covered);
    }

    private static bool TryCover(ReadOnlySpan<byte> upper, int offset, byte protocol, IpAddress source, IpAddress destination, out Covered covered)
    {
        int length = upper.Length, checksumOffset = 0;
        bool whole = false;
        switch (protocol)
        {
            case IpProtocols.Tcp:
                whole = TcpView.TryParse(upper, out _);
                checksumOffset = TcpView.Field.Checksum;
                break;
            case IpProtocols.Udp when UdpView.TryParse(upper, out UdpView datagram):
                whole = true;
                length = datagram.LengthBytes;
                checksumOffset = UdpView.Field.Checksum;
                break;
            case IpProtocols.Icmp:
                whole = Icmpv4View.TryParse(upper, out _);
                checksumOffset = Icmpv4View.Field.Checksum;
                break;
            case IpProtocols.Icmpv6:
                whole = Icmpv6View.TryParse(upper, out _);
                checksumOffset = Icmpv6View.Field.Checksum;
                break;
            default:
                break;
        }

        uint pseudoHeader = protocol == IpProtocols.Icmp ? 0 : PseudoHeader(source, destination, protocol, (uint)length);
        covered = new Covered(offset, length, offset + checksumOffset, pseudoHeader, protocol);
        return whole;
    }

    /// <summary>The bytes a checksum covers; offsets from the start of the IP header.</summary>
    private readonly record struct Covered(int Offset, int LengthBytes, int ChecksumOffset, uint PseudoHeader, byte Protocol);
}
