using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Routing;
using static Dataplane.Tests.Overlays.OverlayPlane;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>Frames to endpoints at other hosts: into which packets they are put, and which are not.</summary>
public sealed class EncapsulationTests
{
    public static TheoryData<int, int> Families => new() { { 4, 4 }, { 4, 6 }, { 6, 4 }, { 6, 6 } };

    public static TheoryData<int> Underlays => [4, 6];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Direct_ToAnEndpointElsewhere_LeavesInVxlanToItsHost(int underlay, int family)
    {
        await using TestPlane plane = Create(underlay);
        byte[] inner = Leaving("a", "r", family).Tcp(1000, 80).PayloadOf(700).Build();
        byte[] outer = plane.SendForOne("a", inner, "wan");
        Assert.InRange(SourcePortOf(outer), 49152, 65535);
        Same(Wrap(TestPlane.WanMac, PeerMac(7), Local(underlay), Peer(7, underlay), SourcePortOf(outer), 4789, BlueVni, inner), outer);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Routed_ToAnEndpointElsewhere_LeavesFromTheGateway(int underlay, int family)
    {
        await using TestPlane plane = Create(underlay, blue => blue with { Reach = ["red"] });
        byte[] inner = PacketBuilder.Ethernet(Blue, RemoteMac("r")).Ip(AddressOf("c", family), RemoteAddress("r", family), 63).Udp(1, 2).PayloadOf(9).Build();
        byte[] outer = plane.SendForOne("c", PacketBuilder.Ethernet(MacOf("c"), Red).Ip(AddressOf("c", family), RemoteAddress("r", family)).Udp(1, 2).PayloadOf(9).Build(), "wan");
        Same(Wrap(TestPlane.WanMac, PeerMac(7), Local(underlay), Peer(7, underlay), SourcePortOf(outer), 4789, BlueVni, inner), outer);
        byte[] client = plane.SendForOne("wan",
            PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(AddressOf("wan", family), RemoteAddress("t", family)).Udp(1, 2).Build(), "wan");
        Same(Wrap(TestPlane.WanMac, PeerMac(7), Local(underlay), Peer(7, underlay), SourcePortOf(client), 4789, RedVni,
            PacketBuilder.Ethernet(Red, RemoteMac("t")).Ip(AddressOf("wan", family), RemoteAddress("t", family), 63).Udp(1, 2).Build()), client);
    }

    [Fact]
    public async Task SourcePort_OfAFlow_StaysAndDiffersFromOthers()
    {
        await using TestPlane plane = Create(4);
        var ports = new HashSet<int>();
        for (ushort flow = 1; flow <= 64; flow++)
        {
            int first = SourcePortOf(plane.SendForOne("a", Leaving("a", "r", 4).Udp(flow, 80).Build(), "wan"));
            Assert.Equal(first, SourcePortOf(plane.SendForOne("a", Leaving("a", "r", 4).Udp(flow, 80).PayloadOf(100).Build(), "wan")));
            ports.Add(first);
        }

        Assert.True(ports.Count > 50, $"{ports.Count} source ports for 64 flows");
    }

    [Fact]
    public async Task SourcePort_OfFragments_IsOne()
    {
        await using TestPlane plane = Create(6);
        Assert.Single(Leaving("a", "r", 4).Udp(1, 2).PayloadOf(3000).BuildFragments(1200).Select(fragment => SourcePortOf(plane.SendForOne("a", fragment, "wan"))).Distinct());
    }

    [Theory]
    [InlineData(4, 1450)]
    [InlineData(6, 1430)]
    public async Task TooBig_ForTheWay_IsAnsweredWithTheInnerMtu(int underlay, int mtu)
    {
        await using TestPlane plane = Create(underlay);
        byte[] fits = Leaving("a", "r", 6).Udp(1, 2).PayloadOf(mtu - 48).Build();
        Assert.Equal(1514, plane.SendForOne("a", fits, "wan").Length);
        foreach (PacketBuilder sent in new[] { Leaving("a", "r", 6), PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(AddressOf("a", 6), RemoteAddress("r", 6)) })
        {
            byte[] answer = Assert.Single(plane.Dies("a", sent.Udp(1, 2).PayloadOf(mtu - 47), DropReason.PacketTooBig)).Frame;
            var error = ParsedIcmp.Read(answer);
            Assert.Equal((2, 0, (uint)mtu), (error.Type, error.Code, error.Rest));
        }

        byte[] v4 = PacketBuilder.Ethernet(MacOf("a"), RemoteMac("r")).Ipv4("10.89.0.2", "10.89.0.112", dontFragment: true).Udp(1, 2).PayloadOf(mtu - 27).Build();
        long before = plane.Engine.ReadAccounting().DroppedFor(DropReason.PacketTooBig);
        var needed = ParsedIcmp.Read(plane.SendForOne("a", v4, "a"));
        Assert.Equal((3, 4, (uint)mtu), (needed.Type, needed.Code, needed.Rest));
        Assert.Equal(before + 1, plane.Engine.ReadAccounting().DroppedFor(DropReason.PacketTooBig));
    }

    [Fact]
    public async Task Peer_WhoseHardwareAddressIsNotKnown_IsAskedForAndTheFrameWaits()
    {
        await using TestPlane plane = Create(4);
        byte[] inner = Leaving("a", "s", 6).Udp(1, 2).PayloadOf(33).Build();
        Same(PacketBuilder.Ethernet(TestPlane.WanMac, MacAddress.Broadcast).ArpRequest("198.51.100.1", "198.51.100.8").Build(), plane.SendForOne("a", inner, "wan"));
        Assert.Equal(1, plane.Engine.ReadAccounting().Held);
        byte[] outer = plane.SendForOne("wan",
            PacketBuilder.Ethernet(PeerMac(8), TestPlane.WanMac).ArpReply("198.51.100.8", TestPlane.WanMac.ToString(), "198.51.100.1").Build(), "wan");
        Same(Wrap(TestPlane.WanMac, PeerMac(8), Local(4), Peer(8, 4), SourcePortOf(outer), 4789, BlueVni, inner), outer);
        Assert.Equal(0, plane.Engine.ReadAccounting().Held);
    }

    [Fact]
    public async Task Error_OfTheEngineToAnEndpointElsewhere_WaitsForThePeerToo()
    {
        // Made by the engine while packets it has made are sent: what is asked for then must not be lost.
        await using TestPlane plane = Create(4);
        byte[] coming = Wrap(PeerMac(8), TestPlane.WanMac, Peer(8, 4), Local(4), 50000, 4789, BlueVni, PacketBuilder.Ethernet(RemoteMac("s"), Blue)
            .Ip(RemoteAddress("s", 4), AddressOf("wan", 4), 1).Udp(1, 2).Build());
        Same(PacketBuilder.Ethernet(TestPlane.WanMac, MacAddress.Broadcast).ArpRequest("198.51.100.1", "198.51.100.8").Build(), plane.SendForOne("wan", coming, "wan"));
        byte[] outer = plane.SendForOne("wan",
            PacketBuilder.Ethernet(PeerMac(8), TestPlane.WanMac).ArpReply("198.51.100.8", TestPlane.WanMac.ToString(), "198.51.100.1").Build(), "wan");
        Assert.Equal((11, 0), (ParsedIcmp.Read(outer[50..]).Type, ParsedIcmp.Read(outer[50..]).Code));
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task Unknown_HardwareAddressesAndBroadcasts_AreNotFlooded(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Parse("02:00:00:00:00:99")).Ip(AddressOf("a", 4), RemoteAddress("r", 4)).Udp(1, 2), DropReason.UnknownStation);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), RemoteMac("t")).Ip(AddressOf("a", 4), RemoteAddress("t", 4)).Udp(1, 2), DropReason.UnknownStation);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Ipv4("10.89.0.2", "255.255.255.255").Udp(1, 2), DropReason.Broadcast);
        plane.Dies("a", PacketBuilder.Ethernet("02:00:0a:00:00:61", "01:00:5e:00:00:fb").Ipv4("10.89.0.2", "224.0.0.251").Udp(1, 2), DropReason.Multicast);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.200"), DropReason.NeighbourNotForUs);
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task ArpAndDiscovery_ForAnEndpointElsewhere_AreAnsweredHere(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        Same(PacketBuilder.Ethernet(RemoteMac("r"), MacOf("a")).ArpReply("10.89.0.112", MacOf("a").ToString(), "10.89.0.2").Build(),
            plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.112").Build(), "a"));
        byte[] advertisement = plane.SendForOne("a", Solicitation(MacOf("a"), AddressOf("a", 6), RemoteAddress("r", 6)).Build(), "a");
        Assert.Equal(RemoteMac("r").ToString(), new MacAddress(ReadMac(advertisement, advertisement.Length - 6)).ToString());
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task ArpAndDiscovery_FromElsewhere_AreAnsweredByVxlan(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        byte[] asked = From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), MacAddress.Broadcast).ArpRequest("10.89.0.112", "10.89.0.2").Build());
        byte[] outer = plane.SendForOne("wan", asked, "wan");
        Same(Wrap(TestPlane.WanMac, PeerMac(7), Local(underlay), Peer(7, underlay), SourcePortOf(outer), 4789, BlueVni,
            PacketBuilder.Ethernet(MacOf("a"), RemoteMac("r")).ArpReply("10.89.0.2", RemoteMac("r").ToString(), "10.89.0.112").Build()), outer);
        byte[] solicited = From7(underlay, Solicitation(RemoteMac("r"), RemoteAddress("r", 6), AddressOf("blue", 6)).Build());
        byte[] advertisement = plane.SendForOne("wan", solicited, "wan");
        Assert.Equal(Blue.ToString(), new MacAddress(ReadMac(advertisement, advertisement.Length - 6)).ToString());
    }

    [Fact]
    public async Task Peer_BehindAnEndpointElsewhere_IsNotReachedInACircle()
    {
        await using TestPlane plane = CreateCircle();
        plane.Dies("a", Leaving("a", "s", 4).Udp(1, 2), DropReason.OverlayLoop);
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task Isolate_ToElsewhereAndBack_IsRefused(int underlay)
    {
        await using TestPlane plane = Create(underlay, blue => blue with { Isolate = true });
        plane.Dies("a", Leaving("a", "r", 4).Udp(1, 2), DropReason.NetworkIsolated);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(AddressOf("a", 6), RemoteAddress("r", 6)).Udp(1, 2), DropReason.NetworkIsolated);
        plane.SendForDrop("wan", From7(underlay, Coming("r", "a", 6).Udp(1, 2).Build()), DropReason.NetworkIsolated);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    [InlineData(0xB8, 0)]
    public async Task Congestion_MarkedInside_IsMarkedOutside(byte inside, int outside)
    {
        foreach (int underlay in new[] { 4, 6 })
        {
            await using TestPlane plane = Create(underlay);
            byte[] inner = PacketBuilder.Ethernet(MacOf("a"), RemoteMac("r")).Ipv4("10.89.0.2", "10.89.0.112", tos: inside).Udp(1, 2).Build();
            byte[] outer = plane.SendForOne("a", inner, "wan");
            Same(Wrap(TestPlane.WanMac, PeerMac(7), Local(underlay), Peer(7, underlay), SourcePortOf(outer), 4789, BlueVni, inner, congestion: outside), outer);
        }
    }

    private static PacketBuilder Solicitation(MacAddress from, IpAddress source, IpAddress target)
    {
        IpAddress group = IpAddress.SolicitedNode(target);
        return PacketBuilder.Ethernet(from, MacAddress.ForIpv6Multicast(group)).Ip(source, group, 255)
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = target, SourceLinkLayerAddress = from });
    }

    private static ulong ReadMac(byte[] frame, int at) => frame.AsSpan(at, 6).ToArray().Aggregate(0UL, (bits, each) => (bits << 8) | each);
}
