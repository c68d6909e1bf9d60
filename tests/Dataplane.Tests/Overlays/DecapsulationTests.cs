using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using static Dataplane.Tests.Overlays.OverlayPlane;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>VXLAN packets to the engine: what comes out of them, and which are nobody's.</summary>
public sealed class DecapsulationTests
{
    public static TheoryData<int, int> Families => new() { { 4, 4 }, { 4, 6 }, { 6, 4 }, { 6, 6 } };

    public static TheoryData<int> Underlays => [4, 6];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Frame_FromElsewhere_ArrivesAsItWasSent(int underlay, int family)
    {
        await using TestPlane plane = Create(underlay);
        byte[] inner = Coming("r", "a", family).Tcp(80, 1000).PayloadOf(701).Build();
        Same(inner, plane.SendForOne("wan", From7(underlay, inner), "a"));
        Same(inner, plane.SendForOne("wan", From7(underlay, inner, withChecksum: true), "a"));
        byte[] other = Coming("t", "c", family).EchoRequest(1, 1).PayloadOf(56).Build();
        Same(other, plane.SendForOne("wan", From7(underlay, other, RedVni), "c"));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Frame_ToTheGateway_IsRouted(int underlay, int family)
    {
        await using TestPlane plane = Create(underlay);
        byte[] inner = PacketBuilder.Ethernet(RemoteMac("r"), Blue).Ip(RemoteAddress("r", family), AddressOf("wan", family)).Udp(1, 2).Build();
        Same(PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(RemoteAddress("r", family), AddressOf("wan", family), 63).Udp(1, 2).Build(),
            plane.SendForOne("wan", From7(underlay, inner), "wan"));
        plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), Blue).Ip(RemoteAddress("r", family), AddressOf("c", family)).Udp(1, 2).Build()),
            DropReason.NetworkIsolated);
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task Frame_RoutedByTheGatewayElsewhere_Arrives(int underlay)
    {
        await using TestPlane plane = Create(underlay, blue => blue with { Reach = ["red"] });
        foreach (IpAddress source in new[] { AddressOf("wan", 4), RemoteAddress("t", 4), IpAddress.Parse("192.0.2.9") })
        {
            byte[] inner = PacketBuilder.Ethernet(Blue, MacOf("a")).Ip(source, AddressOf("a", 4), 63).Udp(1, 2).Build();
            Same(inner, plane.SendForOne("wan", From7(underlay, inner), "a"));
        }

        foreach (IpAddress source in new[] { AddressOf("c", 4), AddressOf("b", 4), RemoteAddress("s", 4) })
        {
            plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(Blue, MacOf("a")).Ip(source, AddressOf("a", 4), 63).Udp(1, 2).Build()), DropReason.SpoofedAddress);
        }
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task ReservedBits_AreIgnored(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        byte[] inner = Coming("r", "a", 4).Udp(1, 2).Build();
        int vxlan = underlay == 4 ? 42 : 62;
        foreach ((int at, byte value) in new[] { (0, (byte)0xFF), (1, (byte)0xFF), (2, (byte)1), (3, (byte)0x80), (7, (byte)0xFF) })
        {
            byte[] outer = From7(underlay, inner);
            outer[vxlan + at] = value;
            Same(inner, plane.SendForOne("wan", outer, "a"));
        }
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task Vxlan_ThatIsNone_IsDropped(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        byte[] inner = Coming("r", "a", 4).Udp(1, 2).PayloadOf(40).Build();
        int udp = underlay == 4 ? 34 : 54;
        byte[] unflagged = From7(underlay, inner);
        unflagged[udp + 8] = 0xF7;
        plane.SendForDrop("wan", unflagged, DropReason.OverlayMalformed);
        byte[] wrong = From7(underlay, inner, withChecksum: true);
        wrong[^1] ^= 1;
        plane.SendForDrop("wan", wrong, DropReason.OverlayMalformed);
        foreach (int length in new[] { 0, 7, 8, 13 })
        {
            plane.SendForDrop("wan", From7(underlay, inner[..length]), DropReason.OverlayMalformed);
        }

        PacketBuilder big = PacketBuilder.Ethernet(PeerMac(7), TestPlane.WanMac).Ip(Peer(7, underlay), Local(underlay)).Udp(50000, 4789).PayloadOf(3000);
        plane.SendForDrop("wan", big.BuildFragments(1200)[0], DropReason.OverlayMalformed);
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task Vxlan_OfNobody_IsDropped(int underlay)
    {
        await using TestPlane plane = Create(underlay);
        byte[] inner = Coming("r", "a", 4).Udp(1, 2).Build();
        plane.SendForDrop("wan", From7(underlay, inner, vni: 0xB10F), DropReason.OverlayUnknownVni);
        plane.SendForDrop("wan", Wrap(PeerMac(7), TestPlane.WanMac, Peer(9, underlay), Local(underlay), 50000, 4789, BlueVni, inner), DropReason.OverlayUnknownPeer);
        plane.SendForDrop("wan", Wrap(PeerMac(7), TestPlane.WanMac, Peer(8, underlay), Local(underlay), 50000, 4789, RedVni, inner), DropReason.OverlayUnknownPeer);
        plane.SendForDrop("wan", Wrap(PeerMac(7), TestPlane.WanMac, Peer(7, underlay), Local(underlay), 50000, 4788, BlueVni, inner), DropReason.LocalUnreachable);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Frame_UnderAnothersName_IsDropped(int underlay, int family)
    {
        await using TestPlane plane = Create(underlay);
        MacAddress nobody = MacAddress.Parse("02:00:00:00:00:99");
        foreach (MacAddress mac in new[] { RemoteMac("s"), MacOf("b"), RemoteMac("t"), nobody })
        {
            plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(mac, MacOf("a")).Ip(RemoteAddress("r", family), AddressOf("a", family)).Udp(1, 2).Build()), DropReason.SpoofedMac);
        }

        foreach (IpAddress address in new[] { RemoteAddress("s", family), AddressOf("b", family), AddressOf("wan", family), AddressOf("blue", family) })
        {
            plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), MacOf("a")).Ip(address, AddressOf("a", family)).Udp(1, 2).Build()), DropReason.SpoofedAddress);
        }

        plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), MacAddress.Broadcast).ArpRequest("10.89.0.113", "10.89.0.2").Build()), DropReason.SpoofedNeighbour);
        plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), RemoteMac("s")).Ip(RemoteAddress("r", family), RemoteAddress("s", family)).Udp(1, 2).Build()),
            DropReason.UnknownStation);
        plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), Blue).Ip(RemoteAddress("r", family), RemoteAddress("s", family)).Udp(1, 2).Build()),
            DropReason.NetworkIsolated);
        plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), MacOf("a")).Vlan(7).Ip(RemoteAddress("r", family), AddressOf("a", family)).Udp(1, 2).Build()),
            DropReason.NoInterface);
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task Vxlan_MadeByAnEndpoint_IsDropped(int underlay)
    {
        await using TestPlane plane = Create(underlay, configure: builder => builder.Nat("blue", "wan"));
        byte[] inner = Coming("r", "b", 4).Udp(1, 2).Build();
        IpAddress own = AddressOf("a", underlay);
        foreach (IpAddress target in new[] { Local(underlay), Peer(7, underlay), Peer(8, underlay) })
        {
            plane.SendForDrop("a", Wrap(MacOf("a"), Blue, own, target, 50000, 4789, BlueVni, inner), DropReason.OverlayForged);
        }

        plane.SendForDrop("wan", From7(underlay, PacketBuilder.Ethernet(RemoteMac("r"), Blue).Ip(RemoteAddress("r", underlay), Local(underlay)).Udp(1, 4789).PayloadOf(60).Build()),
            DropReason.OverlayForged);

        // Other ports are nobody's secret, and neither is this one at hosts that are no peers.
        Assert.Equal("wan", Assert.Single(plane.Send("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(own, Peer(7, underlay)).Udp(1, 4788).Build())).Port);
        Assert.Equal("wan", Assert.Single(plane.Send("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(own, AddressOf("wan", underlay)).Udp(1, 4789).Build())).Port);
    }

    [Theory]
    [MemberData(nameof(Underlays))]
    public async Task TunnelsPort_OfTheEngine_IsNoTranslatedFlows(int underlay)
    {
        // A flow that seems to come from the tunnels' end would get what peers send there.
        await using TestPlane plane = Create(underlay, configure: builder => builder.Nat("blue", "wan"));
        byte[] sent = plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(AddressOf("a", underlay), Peer(7, underlay)).Udp(4789, 50000).Build(), "wan");
        Assert.NotEqual(4789, SourcePortOf(sent));
        byte[] inner = Coming("r", "a", 4).Udp(1, 2).Build();
        Same(inner, plane.SendForOne("wan", From7(underlay, inner), "a"));
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 0, 1)]
    [InlineData(2, 0, 2)]
    [InlineData(2, 1, 1)]
    [InlineData(1, 2, 1)]
    [InlineData(0, 1, 0)]
    [InlineData(0, 2, 0)]
    [InlineData(1, 3, 3)]
    [InlineData(2, 3, 3)]
    [InlineData(3, 0, 3)]
    [InlineData(3, 1, 3)]
    [InlineData(0, 3, -1)]
    public async Task Congestion_MarkedOnTheWay_IsMarkedInside(byte inside, int outside, int expected)
    {
        foreach ((int underlay, int family) in new[] { (4, 4), (6, 4), (4, 6), (6, 6) })
        {
            await using TestPlane plane = Create(underlay);
            PacketBuilder Inner(byte mark) => PacketBuilder.Ethernet(RemoteMac("r"), MacOf("a")) is var link && family == 4
                ? link.Ipv4("10.89.0.112", "10.89.0.2", tos: mark).Udp(1, 2).PayloadOf(5)
                : link.Ipv6("fd00:89::112", "fd00:89::2", trafficClass: mark).Udp(1, 2).PayloadOf(5);
            byte[] outer = From7(underlay, Inner(inside).Build(), congestion: outside);
            if (expected < 0)
            {
                plane.SendForDrop("wan", outer, DropReason.OverlayCongestion);
            }
            else
            {
                Same(Inner((byte)expected).Build(), plane.SendForOne("wan", outer, "a"));
            }
        }
    }

    [Fact]
    public async Task Explain_BothWays_NamesTheSteps()
    {
        await using TestPlane plane = Create(4);
        byte[] coming = Coming("r", "a", 4).Udp(1, 2).Build(), leaving = Leaving("a", "r", 4).Udp(1, 2).Build();
        Explanation arrives = plane.Engine.Explain(From7(4, coming), "wan");
        Assert.Equal(("a", Convert.ToHexString(coming)), (arrives.OutPort, Convert.ToHexString(arrives.Output.Span)));
        Assert.Equal(["parse", "ingress", "decapsulate", "guard", "ingress", "switch"], arrives.Steps.Select(step => step.Stage).Where(stage => stage is not "filter" and not "flow"));
        Explanation leaves = plane.Engine.Explain(leaving, "a");
        Same(plane.SendForOne("a", leaving, "wan"), leaves.Output.ToArray());
        Assert.Equal("wan", leaves.OutPort);
        Assert.Contains("encapsulate", leaves.Steps.Select(step => step.Stage));
        Explanation forged = plane.Engine.Explain(Wrap(MacOf("a"), Blue, AddressOf("a", 4), Peer(7, 4), 50000, 4789, BlueVni, coming), "a");
        Assert.Equal((Verdict.Drop, DropReason.OverlayForged), (forged.Verdict, forged.Reason));
        Assert.Equal(1, plane.Engine.ReadPorts().Single(port => port.Name == "vx-blue").Statistics.TransmittedPackets);
    }
}
