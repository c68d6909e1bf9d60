using Dataplane.Packets;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Packets;

/// <summary>Decodes a frame with the engine's views into the plain form of <see cref="ReferenceDecoder"/>, so that the two can be compared.</summary>
internal static class ViewDecoder
{
    /// <summary>Where decoding ended, when it did: ethernet, arp, ip, extension or transport.</summary>
    public static ReferencePacket Decode(byte[] frame)
    {
        var packet = new ReferencePacket();
        if (!EthernetView.TryParse(frame, out EthernetView view))
        {
            packet.Problem = "ethernet";
            return packet;
        }

        (packet.SourceMac, packet.DestinationMac) = (view.Source.ToString(), view.Destination.ToString());
        (packet.EtherType, packet.NetworkOffset) = (view.EtherType, view.PayloadOffset);
        for (int index = 0; view.TryGetVlanTag(index, out VlanTag tag); index++)
        {
            packet.Tags.Add((tag.Protocol, tag.Priority, tag.DropEligible, tag.Id));
        }

        switch (view.EtherType)
        {
            case EtherTypes.Arp:
                Arp(view.Payload, packet);
                break;
            case EtherTypes.Ipv4:
                V4(view.Payload, packet);
                break;
            case EtherTypes.Ipv6:
                V6(view.Payload, packet);
                break;
            default:
                break;
        }

        return packet;
    }

    /// <summary>Decodes a packet that begins with its IP header.</summary>
    public static ReferencePacket DecodeIp(byte[] bytes)
    {
        var packet = new ReferencePacket();
        if (bytes.Length > 0 && bytes[0] >> 4 == 6)
        {
            V6(bytes, packet);
        }
        else
        {
            V4(bytes, packet);
        }

        return packet;
    }

    /// <summary>What both decoders must say alike, as text.</summary>
    public static string Describe(ReferencePacket packet)
    {
        string problem = packet.Problem is null ? "none" : Level(packet.Problem);
        string link = $"{packet.SourceMac} {packet.DestinationMac} [{string.Join(' ', packet.Tags)}] {packet.EtherType:x4} {packet.NetworkOffset} {packet.Arp}";
        if (problem is "ethernet" or "arp" or "ip")
        {
            return $"{problem}: {(problem == "ethernet" ? "" : link)}";
        }

        string network = $"{packet.IpVersion} {packet.Source} {packet.Destination} tos {packet.Tos} ttl {packet.Ttl} label {packet.FlowLabel} "
            + $"id {packet.Identification} {packet.Fragment} {packet.FragmentOffset} {packet.DontFragment} {packet.MoreFragments} "
            + $"extensions [{string.Join(' ', packet.ExtensionHeaders)}] protocol {packet.Protocol} header {packet.HeaderChecksumRight}";
        if (problem is "extension" or "transport")
        {
            return $"{problem}: {link} {network}";
        }

        return $"{link} {network} at {packet.TransportOffset} to {packet.EndOffset} checksum {packet.TransportChecksumRight} {packet.IsUdpWithoutChecksum} "
            + $"ports {packet.SourcePort} {packet.DestinationPort} tcp {packet.SequenceNumber} {packet.AcknowledgmentNumber} {packet.TcpFlags:x} "
            + $"{packet.TcpWindow} {packet.TcpHeaderLength} icmp {packet.IcmpType} {packet.IcmpCode} {packet.IcmpRest:x} "
            + $"payload {Convert.ToHexString(packet.Payload)} trailer {Convert.ToHexString(packet.Trailer)}";
    }

    private static string Level(string problem) => problem switch
    {
        _ when problem.Contains("extension", StringComparison.Ordinal) => "extension",
        _ when problem.Contains("vlan", StringComparison.Ordinal) || problem.Contains("ethernet", StringComparison.Ordinal) => "ethernet",
        _ when problem.Contains("arp", StringComparison.Ordinal) => "arp",
        _ when problem.EndsWith("ip", StringComparison.Ordinal) || problem.Contains("ipv", StringComparison.Ordinal) => "ip",
        _ => "transport",
    };

    private static void Arp(ReadOnlySpan<byte> bytes, ReferencePacket packet)
    {
        if (ArpView.TryParse(bytes, out ArpView view))
        {
            packet.Arp = new ReferenceArp(
                (int)view.Operation, view.SenderMac.ToString(), view.SenderAddress.ToString(), view.TargetMac.ToString(), view.TargetAddress.ToString());
        }
        else
        {
            packet.Problem = "arp";
        }
    }

    private static void V4(ReadOnlySpan<byte> bytes, ReferencePacket packet)
    {
        if (!Ipv4View.TryParse(bytes, out Ipv4View view))
        {
            packet.Problem = "ip";
            return;
        }

        packet.IpVersion = 4;
        (packet.Source, packet.Destination) = (view.Source.ToString(), view.Destination.ToString());
        (packet.Tos, packet.Ttl, packet.Protocol, packet.Identification) = (view.Tos, view.Ttl, view.Protocol, view.Identification);
        (packet.DontFragment, packet.MoreFragments, packet.FragmentOffset) = (view.DontFragment, view.MoreFragments, view.FragmentOffsetBytes);
        packet.Fragment = Name(view.Fragment);
        packet.HeaderChecksumRight = view.IsChecksumValid;
        Finish(bytes, view.Bytes.Length, view.HeaderLengthBytes, view.Fragment, packet);
    }

    private static void V6(ReadOnlySpan<byte> bytes, ReferencePacket packet)
    {
        if (!Ipv6View.TryParse(bytes, out Ipv6View view))
        {
            packet.Problem = "ip";
            return;
        }

        packet.IpVersion = 6;
        (packet.Source, packet.Destination) = (view.Source.ToString(), view.Destination.ToString());
        (packet.Tos, packet.Ttl, packet.FlowLabel) = (view.TrafficClass, view.HopLimit, (int)view.FlowLabel);
        foreach (Ipv6ExtensionHeader header in view.Extensions)
        {
            packet.ExtensionHeaders.Add(header.Protocol);
        }

        Ipv6ExtensionChain chain = Ipv6ExtensionWalker.Walk(view);
        (packet.MoreFragments, packet.FragmentOffset, packet.Identification) = (chain.MoreFragments, chain.FragmentOffsetBytes, chain.FragmentIdentification);
        (packet.Protocol, packet.Fragment) = (chain.UpperProtocol, Name(chain.Fragment));
        if (chain.Error != Ipv6ExtensionError.None)
        {
            packet.Problem = "extension";
            return;
        }

        Finish(bytes, view.Bytes.Length, chain.UpperOffset, chain.Fragment, packet);
    }

    private static void Finish(ReadOnlySpan<byte> bytes, int total, int transport, FragmentKind fragment, ReferencePacket packet)
    {
        packet.TransportOffset = packet.NetworkOffset + transport;
        packet.EndOffset = packet.NetworkOffset + total;
        packet.Trailer = bytes[total..].ToArray();
        ReadOnlySpan<byte> upper = bytes[transport..total];
        packet.Payload = upper.ToArray();
        if (fragment == FragmentKind.Later)
        {
            return;
        }

        ChecksumStatus status = InternetChecksum.VerifyTransport(bytes);
        packet.TransportChecksumRight = status switch { ChecksumStatus.Valid => true, ChecksumStatus.Invalid => false, _ => null };
        switch (packet.Protocol, packet.IpVersion)
        {
            case (IpProtocols.Tcp, _):
                Tcp(upper, packet);
                break;
            case (IpProtocols.Udp, _):
                Udp(upper, fragment, packet);
                break;
            case (IpProtocols.Icmp, 4) when Icmpv4View.TryParse(upper, out Icmpv4View icmp):
                (packet.IcmpType, packet.IcmpCode, packet.IcmpRest, packet.Payload) = (icmp.Type, icmp.Code, icmp.RestOfHeader, icmp.Payload.ToArray());
                break;
            case (IpProtocols.Icmpv6, 6) when Icmpv6View.TryParse(upper, out Icmpv6View icmp):
                (packet.IcmpType, packet.IcmpCode, packet.IcmpRest, packet.Payload) = (icmp.Type, icmp.Code, icmp.RestOfHeader, icmp.Payload.ToArray());
                break;
            case (IpProtocols.Icmp, 4) or (IpProtocols.Icmpv6, 6):
                packet.Problem = "transport";
                break;
            default:
                break;
        }
    }

    private static void Tcp(ReadOnlySpan<byte> upper, ReferencePacket packet)
    {
        if (!TcpView.TryParse(upper, out TcpView view))
        {
            packet.Problem = "transport";
            return;
        }

        (packet.SourcePort, packet.DestinationPort) = (view.SourcePort, view.DestinationPort);
        (packet.SequenceNumber, packet.AcknowledgmentNumber) = (view.SequenceNumber, view.AcknowledgmentNumber);
        (packet.TcpFlags, packet.TcpWindow, packet.TcpHeaderLength) = ((int)view.Flags, view.Window, view.HeaderLengthBytes);
        packet.Payload = view.Payload.ToArray();
    }

    private static void Udp(ReadOnlySpan<byte> upper, FragmentKind fragment, ReferencePacket packet)
    {
        if (!UdpView.TryParseHeader(upper, out UdpView view) || (view.IsTruncated && fragment == FragmentKind.None))
        {
            packet.Problem = "transport";
            return;
        }

        (packet.SourcePort, packet.DestinationPort) = (view.SourcePort, view.DestinationPort);
        (packet.IsUdpWithoutChecksum, packet.Payload) = (!view.HasChecksum, view.Payload.ToArray());
    }

    private static string Name(FragmentKind kind) => kind switch { FragmentKind.None => "none", FragmentKind.First => "first", _ => "later" };
}
