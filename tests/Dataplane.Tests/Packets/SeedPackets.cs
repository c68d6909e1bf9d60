using Dataplane.Packets;

namespace Dataplane.Tests.Packets;

/// <summary>One frame of every form the wire types know: where mutation starts from.</summary>
internal static class SeedPackets
{
    private const string A = "02:00:00:00:00:01", B = "02:00:00:00:00:02";

    public static IReadOnlyList<byte[]> Frames { get; } = [.. Link(), .. V4(), .. V6(), .. Neighbours()];

    private static PacketBuilder Ip4 => PacketBuilder.Ethernet(A, B).Ipv4("10.0.0.1", "192.0.2.7");

    private static PacketBuilder Ip6 => PacketBuilder.Ethernet(A, B).Ipv6("2001:db8::1", "2001:db8::2", hopLimit: 255);

    private static IEnumerable<byte[]> Link()
    {
        yield return PacketBuilder.Ethernet(A, B).ArpRequest("10.0.0.1", "10.0.0.2").PadTo().Build();
        yield return PacketBuilder.Ethernet(A, B).Vlan(5).ArpReply("10.0.0.1", B, "10.0.0.2").Build();
        yield return PacketBuilder.Ethernet(A, B).Carrying(38).Payload(Convert.FromHexString("424203" + new string('0', 70))).PadTo().Build();
        yield return PacketBuilder.Ethernet(A, B).Carrying(8 + 28).Payload([0xAA, 0xAA, 3, 0, 0, 0, 8, 0, .. Bare(Ip4.Udp(1, 2))]).PadTo().Build();
        yield return PacketBuilder.Ethernet(A, B).Vlan(1).Vlan(2).Vlan(3).Carrying(0x88CC).PayloadOf(40).Build();
    }

    private static IEnumerable<byte[]> V4()
    {
        yield return Ip4.Udp(1000, 80).PayloadOf(33).PadTo(90).Build();
        yield return Ip4.Udp(1000, 80, checksum: false).PayloadOf(2).Build();
        var syn = new TcpFields { Flags = TcpFlags.Syn, MaxSegmentSize = 1460, SackPermitted = true, WindowScale = 7, Timestamps = new(1, 2) };
        yield return Ip4.Tcp(syn).Build();
        yield return PacketBuilder.Ethernet(A, B).Vlan(100, protocol: EtherTypes.ServiceVlan).Vlan(5).Ipv4("10.0.0.1", "192.0.2.7")
            .Tcp(1, 2).PayloadOf(9).Build();
        yield return PacketBuilder.Ethernet(A, B).Ipv4(Fields, Convert.FromHexString("94040000" + "010703" + "04" + "830704" + "C0000263")).Udp(1, 2).Build();
        yield return Ip4.EchoRequest(1, 2).PayloadOf(56).Build();
        yield return Ip4.Icmpv4(Icmpv4Fields.Unreachable(4, 1400)).Payload(Bare(Ip4.Tcp(1, 2).PayloadOf(20))).Build();
        yield return Ip4.Icmpv4(Icmpv4Fields.Redirect(1, IpAddress.Parse("10.0.0.9"))).Payload(Bare(Ip4.Udp(1, 2))).Build();
        yield return Ip4.Icmpv4(new Icmpv4Fields { Type = 11, RestOfHeader = 7 << 16 }).Payload([.. Bare(Ip4.Udp(1, 2)), 0x20, 0, 0, 0, 0, 4, 1, 1]).Build();
        foreach (byte[] fragment in Ip4.Udp(1, 2).PayloadOf(60).BuildFragments(24))
        {
            yield return fragment;
        }

        yield return Ip4.Authentication(1, 2, new byte[12]).Udp(1, 2).Build();
        yield return Ip4.Carrying(IpProtocols.Gre).PayloadOf(60).Build();
    }

    private static IEnumerable<byte[]> V6()
    {
        byte[] segments = [1, 0, 0, 0, .. Bare(Ip6)[8..24], .. Bare(Ip6)[24..40]];
        yield return Ip6.Udp(1000, 80).PayloadOf(33).PadTo(110).Build();
        yield return Ip6.Tcp(1000, 80, TcpFlags.Ack).PayloadOf(9).Build();
        yield return Ip6.EchoRequest(1, 2).PayloadOf(56).Build();
        yield return Ip6.HopByHop([5, 2, 0, 0]).DestinationOptions([0xC2, 4, 0, 1, 0, 0]).Tcp(1, 2).Build();
        yield return Ip6.Routing(4, 1, segments).Udp(1, 2).Build();
        yield return Ip6.Routing(0, 2, segments).DestinationOptions().Authentication(1, 2, new byte[12]).Tcp(1, 2).Build();
        foreach (byte[] fragment in Ip6.HopByHop().Udp(1, 2).PayloadOf(60).BuildFragments(24))
        {
            yield return fragment;
        }

        yield return Ip6.Fragment(0, false, 9).EchoReply(1, 2).Build();
        yield return Ip6.Icmpv6(Icmpv6Fields.PacketTooBig(1280)).Payload(Bare(Ip6.Tcp(1, 2).PayloadOf(20))).Build();
        yield return Ip6.Icmpv6(new Icmpv6Fields { Type = 3, RestOfHeader = 6 << 24 }).Payload([.. Bare(Ip6.Udp(1, 2)), 0x20, 0, 0, 0, 0, 4, 1, 1]).Build();
        yield return Ip6.DestinationOptions().DestinationOptions().DestinationOptions().DestinationOptions().DestinationOptions().DestinationOptions()
            .DestinationOptions().DestinationOptions().DestinationOptions().Udp(1, 2).Build();
    }

    private static IEnumerable<byte[]> Neighbours()
    {
        IpAddress target = IpAddress.Parse("2001:db8::7");
        MacAddress mac = MacAddress.Parse(A);
        yield return Ip6.NeighbourSolicitation(new NeighbourSolicitationFields { Target = target, SourceLinkLayerAddress = mac }).Build();
        yield return Ip6.NeighbourAdvertisement(new NeighbourAdvertisementFields { Target = target, IsOverride = true, TargetLinkLayerAddress = mac }).Build();
        yield return Ip6.RouterSolicitation(new RouterSolicitationFields { SourceLinkLayerAddress = mac }).Build();
        yield return Ip6.RouterAdvertisement(new RouterAdvertisementFields
        {
            SourceLinkLayerAddress = mac,
            MtuBytes = 1400,
            Prefix = new NdPrefixInformation { Prefix = IpPrefix.Parse("2001:db8::/64"), OnLink = true },
        }).Build();
        yield return Ip6.NdRedirect(new NdRedirectFields { Target = target, Destination = target, TargetLinkLayerAddress = mac }).Build();
    }

    private static Ipv4Fields Fields => new() { Source = IpAddress.Parse("10.0.0.1"), Destination = IpAddress.Parse("192.0.2.7"), Ttl = 9 };

    private static byte[] Bare(PacketBuilder frame) => frame.Build()[14..];
}
