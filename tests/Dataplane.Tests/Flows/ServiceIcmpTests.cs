using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Flows;

/// <summary>ICMP errors about translated flows: outside and in the quotation they look as the receiver knows the flow, and every checksum holds.</summary>
public sealed class ServiceIcmpTests
{
    private const string V4Router = "198.51.100.7", V6Router = "2001:db8:1::7";

    /// <summary>The quotation with its own header and the transport header as <paramref name="frame"/> has them, without the link header.</summary>
    private static byte[] Quote(byte[] frame, int most) => frame[14..Math.Min(frame.Length, 14 + most)];

    [Theory]
    [InlineData(true, 28)]
    [InlineData(true, 548)]
    [InlineData(false, 28)]
    [InlineData(false, 548)]
    public async Task FragmentationNeeded_FromARouterOfTheClientsSide_ReachesTheBackend(bool tcp, int quoted)
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(tcp, hosts: 11);
        Open(plane, net, tcp);
        byte[] atClient = plane.SendForOne("lan", Transport(net.FromBackend(11), tcp, 8080, 40000).PayloadOf(1200).Build(), "wan");
        byte[] error = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(V4Router, net.Service.ToString())
            .Icmpv4(Icmpv4Fields.Unreachable(4, 1280)).Payload(Quote(atClient, quoted)).Build();

        // As if the router had complained about the packet the backend sent: its TTL is one less by then, its addresses the backend's own.
        byte[] asSent = Transport(net.FromBackend(11, ttl: 63), tcp, 8080, 40000).PayloadOf(1200).Build();
        byte[] expected = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ipv4(V4Router, net.Backend(11).ToString(), ttl: 63)
            .Icmpv4(Icmpv4Fields.Unreachable(4, 1280)).Payload(Quote(asSent, quoted)).Build();
        byte[] sent = plane.SendForOne("wan", error, "lan");
        if (tcp && quoted == 28)
        {
            // Eight bytes of a TCP header have no checksum in them, and the one of the message follows from the bytes.
            Assert.Equal(expected.Length, sent.Length);
        }

        ServiceNet.Same(expected, sent);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PacketTooBig_FromARouterOfTheClientsSide_ReachesTheBackend(bool tcp)
    {
        ServiceNet net = ServiceNet.V6;
        await using TestPlane plane = net.Create(tcp, hosts: 11);
        Open(plane, net, tcp);
        byte[] atClient = plane.SendForOne("lan", Transport(net.FromBackend(11), tcp, 8080, 40000).PayloadOf(1400).Build(), "wan");
        byte[] error = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6(V6Router, net.Service.ToString())
            .Icmpv6(Icmpv6Fields.PacketTooBig(1280)).Payload(Quote(atClient, 1232)).Build();
        byte[] asSent = Transport(net.FromBackend(11, ttl: 63), tcp, 8080, 40000).PayloadOf(1400).Build();
        byte[] expected = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ipv6(V6Router, net.Backend(11).ToString(), hopLimit: 63)
            .Icmpv6(Icmpv6Fields.PacketTooBig(1280)).Payload(Quote(asSent, 1232)).Build();
        ServiceNet.Same(expected, plane.SendForOne("wan", error, "lan"));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task PortUnreachable_FromTheBackend_ComesFromTheService(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        byte[] atBackend = plane.SendForOne("wan", net.FromClient().Udp(40000, 80).PayloadOf(100).Build(), "lan");
        byte[] asSent = net.FromClient(ttl: 63).Udp(40000, 80).PayloadOf(100).Build();
        byte[] sent = plane.SendForOne("lan", Unreachable(net.FromBackend(11), family, Quote(atBackend, 128)), "wan");
        ServiceNet.Same(Unreachable(net.AtClient(), family, Quote(asSent, 128)), sent);
    }

    /// <summary>Extension headers of the quoted packet are no reason to lose path MTU discovery.</summary>
    [Fact]
    public async Task PacketTooBig_QuotingExtensionHeaders_ReachesTheBackend()
    {
        ServiceNet net = ServiceNet.V6;
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        Open(plane, net, tcp: false);
        byte[] padding = [1, 4, 0, 0, 0, 0];
        PacketBuilder Answer(PacketBuilder packet) => packet.HopByHop(padding).DestinationOptions(padding).Udp(8080, 40000).PayloadOf(1350);
        byte[] atClient = plane.SendForOne("lan", Answer(net.FromBackend(11)).Build(), "wan");
        byte[] error = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6(V6Router, net.Service.ToString())
            .Icmpv6(Icmpv6Fields.PacketTooBig(1280)).Payload(Quote(atClient, 1232)).Build();
        byte[] expected = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ipv6(V6Router, net.Backend(11).ToString(), hopLimit: 63)
            .Icmpv6(Icmpv6Fields.PacketTooBig(1280)).Payload(Quote(Answer(net.FromBackend(11, ttl: 63)).Build(), 1232)).Build();
        ServiceNet.Same(expected, plane.SendForOne("wan", error, "lan"));
    }

    /// <summary>Of a later fragment nobody knows the ports: what stands in their place is data, whatever flow it may look like.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Unreachable_QuotingALaterFragment_IsOfNoFlow(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        byte[] atBackend = plane.SendForOne("wan", net.FromClient().Udp(40000, 80).PayloadOf(100).Build(), "lan");
        byte[] quote;
        if (family == 4)
        {
            quote = Quote(atBackend, 128);
            quote[7] = 10;
        }
        else
        {
            quote = [.. atBackend.AsSpan(14, 40), IpProtocols.Udp, 0, 0, 80, 0, 0, 0, 1, .. atBackend.AsSpan(54, 40)];
            (quote[5], quote[6]) = (48, IpProtocols.Fragment);
        }

        byte[] expected = Unreachable(PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(net.Backend(11), net.Client, 63), family, quote);
        ServiceNet.Same(expected, plane.SendForOne("lan", Unreachable(net.FromBackend(11), family, quote), "wan"));
    }

    /// <summary>The checksum of TCP is the last of 18 bytes: quoted that far it is adjusted, and beyond that nothing is written.</summary>
    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    [InlineData(19)]
    public async Task Unreachable_QuotingTcpUpToItsChecksum_AdjustsIt(int bytes)
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: 11);
        byte[] atBackend = plane.SendForOne("wan", net.FromClient().Tcp(40000, 80, TcpFlags.Syn, 7, 0).Build(), "lan");
        byte[] asSent = net.FromClient(ttl: 63).Tcp(40000, 80, TcpFlags.Syn, 7, 0).Build();
        byte[] expected = Quote(asSent, 20 + bytes);
        if (bytes < 18)
        {
            // Half a checksum cannot be adjusted.
            expected[^1] = atBackend[14 + 20 + bytes - 1];
        }

        byte[] sent = plane.SendForOne("lan", Unreachable(net.FromBackend(11), 4, Quote(atBackend, 20 + bytes)), "wan");
        ServiceNet.Same(Unreachable(net.AtClient(), 4, expected), sent);
    }

    /// <summary>An error to somebody else stays his, whatever it quotes.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Unreachable_ToAnotherThanWhoSentWhatItQuotes_IsForwardedAsItIs(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        Open(plane, net, tcp: false);
        byte[] atClient = plane.SendForOne("lan", net.FromBackend(11).Udp(8080, 40000).PayloadOf(100).Build(), "wan");
        PacketBuilder ToAnother(MacAddress source, MacAddress target, byte ttl) => PacketBuilder.Ethernet(source, target).Ip(net.Client, net.Backend(12), ttl);
        ServiceNet.Same(Unreachable(ToAnother(TestPlane.LanMac, TestPlane.ServerMac, 63), family, Quote(atClient, 128)),
            plane.SendForOne("wan", Unreachable(ToAnother(TestPlane.ClientMac, TestPlane.WanMac, 64), family, Quote(atClient, 128)), "lan"));
    }

    /// <summary>A router between engine and backend, behind source translation: its error reaches the client, and comes from the service as the backend's own would.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Unreachable_FromAnInsideRouterBehindNat_ReachesTheClient(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: false, BalancePolicy.RoundRobin, 11).Nat("lan", "wan"));
        byte[] atBackend = plane.SendForOne("wan", net.FromClient().Udp(40000, 80).PayloadOf(100).Build(), "lan");
        byte[] asSent = net.FromClient(ttl: 63).Udp(40000, 80).PayloadOf(100).Build();
        PacketBuilder fromRouter = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(net.Backend(13), net.Client);
        ServiceNet.Same(Unreachable(net.AtClient(), family, Quote(asSent, 128)), plane.SendForOne("lan", Unreachable(fromRouter, family, Quote(atBackend, 128)), "wan"));
    }

    [Fact]
    public async Task PortUnreachable_QuotingUdpWithoutChecksum_LeavesItWithout()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        byte[] atBackend = plane.SendForOne("wan", net.FromClient().Udp(40000, 80, checksum: false).PayloadOf(100).Build(), "lan");
        byte[] asSent = net.FromClient(ttl: 63).Udp(40000, 80, checksum: false).PayloadOf(100).Build();
        byte[] sent = plane.SendForOne("lan", Unreachable(net.FromBackend(11), 4, Quote(atBackend, 128)), "wan");
        ServiceNet.Same(Unreachable(net.AtClient(), 4, Quote(asSent, 128)), sent);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Error_WithAWrongChecksum_IsDropped(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        byte[] atBackend = plane.SendForOne("wan", net.FromClient().Udp(40000, 80).PayloadOf(100).Build(), "lan");
        byte[] error = Unreachable(net.FromBackend(11), family, Quote(atBackend, 128));
        error[^1] ^= 1;
        Assert.Empty(plane.SendForDrop("lan", error, DropReason.IcmpInvalid));
    }

    /// <summary>The number of the other family's ICMP is a protocol like any other, however short.</summary>
    [Theory]
    [InlineData(4, IpProtocols.Icmpv6, 0)]
    [InlineData(4, IpProtocols.Icmpv6, 7)]
    [InlineData(6, IpProtocols.Icmp, 0)]
    [InlineData(6, IpProtocols.Icmp, 7)]
    public async Task IcmpOfTheOtherFamily_WhileThereAreFlows_IsForwarded(int family, byte protocol, int bytes)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        Open(plane, net, tcp: false);
        byte[] sent = plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(net.Client, net.Backend(12))
            .Carrying(protocol).PayloadOf(bytes).Build(), "lan");
        ServiceNet.Same(net.AtBackend(12).Carrying(protocol).PayloadOf(bytes).Build(), sent);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Error_ThatWaitsForTheClientsNeighbour_IsTranslatedOnce(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            net.Add(builder, "web", 80, tcp: false, BalancePolicy.RoundRobin, 11);
            builder.Neighbour("lan", net.Backend(11).ToString(), TestPlane.ServerMac.ToString());
        }, withNeighbours: false);
        byte[] atBackend = plane.SendForOne("wan", net.FromClient().Udp(40000, 80).PayloadOf(100).Build(), "lan");
        byte[] asSent = net.FromClient(ttl: 63).Udp(40000, 80).PayloadOf(100).Build();
        Assert.Equal("wan", Assert.Single(plane.Send("lan", Unreachable(net.FromBackend(11), family, Quote(atBackend, 128)))).Port);
        Assert.Equal(1, plane.Engine.ReadAccounting().Held);
        byte[] answer = family == 4
            ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).ArpReply("198.51.100.2", TestPlane.WanMac.ToString(), "198.51.100.1").Build()
            : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", "2001:db8:1::1", 255)
                .NeighbourAdvertisement(new NeighbourAdvertisementFields
                {
                    Target = net.Client,
                    IsSolicited = true,
                    IsOverride = true,
                    TargetLinkLayerAddress = TestPlane.ClientMac,
                }).Build();
        ServiceNet.Same(Unreachable(net.AtClient(), family, Quote(asSent, 128)), Assert.Single(plane.Send("wan", answer)).Frame);
    }

    private static byte[] Unreachable(PacketBuilder ip, int family, byte[] quote) =>
        (family == 4 ? ip.Icmpv4(Icmpv4Fields.Unreachable(3)) : ip.Icmpv6(Icmpv6Fields.Unreachable(4))).Payload(quote).Build();

    private static PacketBuilder Transport(PacketBuilder ip, bool tcp, ushort from, ushort to) => tcp
        ? ip.Tcp(from, to, TcpFlags.Ack, 77, 88) : ip.Udp(from, to);

    private static void Open(TestPlane plane, ServiceNet net, bool tcp) =>
        plane.SendForOne("wan", (tcp ? net.FromClient().Tcp(40000, 80) : net.FromClient().Udp(40000, 80)).Build(), "lan");
}
