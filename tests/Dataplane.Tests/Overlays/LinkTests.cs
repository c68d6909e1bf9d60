using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using static Dataplane.Tests.Overlays.LinkPlane;
using static Dataplane.Tests.Overlays.OverlayPlane;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>Networks that go on at other hosts by a port for each: frames behind their identifier, and what a host may not say.</summary>
public sealed class LinkTests
{
    public static TheoryData<int> Families => [4, 6];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Frame_ToAnEndpointElsewhere_LeavesByTheLinkOfItsHost(int family)
    {
        await using TestPlane plane = LinkPlane.Create();
        byte[] inner = Leaving("a", "r", family).Tcp(1000, 80).PayloadOf(700).Build();
        Same(Framed(inner), plane.SendForOne("a", inner, "l7"));
        inner = Leaving("b", "s", family).EchoRequest(1, 1).PayloadOf(56).Build();
        Same(Framed(inner), plane.SendForOne("b", inner, "l8"));
        inner = Leaving("c", "t", family).Udp(1, 2).Build();
        Same(Framed(inner, RedVni), plane.SendForOne("c", inner, "l7"));
        Same(Framed(PacketBuilder.Ethernet(GatewayMac, RemoteMac("s")).Ip(AddressOf("wan", family), RemoteAddress("s", family), 63).Udp(1, 2).Build()),
            plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(AddressOf("wan", family), RemoteAddress("s", family)).Udp(1, 2).Build(), "l8"));
        Assert.True(plane.Engine.ReadAccounting().IsBalanced);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Frame_FromAnEndpointElsewhere_ArrivesAsItWasSent(int family)
    {
        await using TestPlane plane = LinkPlane.Create();
        byte[] inner = Coming("r", "a", family).Tcp(80, 1000).PayloadOf(701).Build();
        Same(inner, plane.SendForOne("l7", Framed(inner), "a"));
        inner = Coming("s", "a", family).Udp(80, 1000).Build();
        Same(inner, plane.SendForOne("l8", Framed(inner), "a"));
        inner = Coming("t", "c", family).EchoRequest(1, 1).PayloadOf(56).Build();
        Same(inner, plane.SendForOne("l7", Framed(inner, RedVni), "c"));
        Assert.True(plane.Engine.ReadAccounting().IsBalanced);
        Assert.Equal(3, plane.Engine.ReadPorts().Where(port => port.Name.StartsWith("vx-", StringComparison.Ordinal)).Sum(port => port.Statistics.ReceivedPackets));
    }

    [Fact]
    public async Task Identifier_OfANetworkThatIsNotSharedWithTheHost_IsDroppedAndCounted()
    {
        await using TestPlane plane = LinkPlane.Create();
        byte[] inner = Coming("t", "c", 4).Udp(1, 2).Build();
        plane.SendForDrop("l8", Framed(inner, RedVni), DropReason.OverlayUnknownVni);
        plane.SendForDrop("l7", Framed(inner, 0x777), DropReason.OverlayUnknownVni);

        // The right network's identifier, but the frame is another's.
        plane.SendForDrop("l7", Framed(inner, BlueVni), DropReason.SpoofedMac);
        plane.SendForDrop("l7", Framed(Coming("s", "a", 4).Udp(1, 2).Build()), DropReason.SpoofedMac);
        plane.SendForDrop("l7", Framed(PacketBuilder.Ethernet(RemoteMac("r"), MacOf("a")).Ip(RemoteAddress("s", 6), AddressOf("a", 6)).Udp(1, 2).Build()), DropReason.SpoofedAddress);
        Assert.True(plane.Engine.ReadAccounting().IsBalanced);
    }

    [Fact]
    public async Task Frame_ThatIsNone_IsDropped()
    {
        await using TestPlane plane = LinkPlane.Create();
        byte[] whole = Framed(Coming("r", "a", 4).Udp(1, 2).Build());
        for (int length = 1; length < 22; length++)
        {
            plane.SendForDrop("l7", whole[..length], DropReason.OverlayMalformed);
        }

        whole[0] = 0xF7;
        plane.SendForDrop("l7", whole, DropReason.OverlayMalformed);

        // Reserved bits say nothing (RFC 7348 5); what comes plain, without an identifier, is not taken for a frame of a network.
        whole[0] = 0xFF;
        (whole[1], whole[2], whole[3], whole[7]) = (1, 2, 3, 4);
        Same(whole[8..], plane.SendForOne("l7", whole, "a"));
        plane.SendForDrop("l7", Coming("r", "a", 4).Udp(1, 2).Build(), DropReason.OverlayMalformed);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Vxlan_ForANetworkByLinks_IsNotTaken(int family)
    {
        await using TestPlane plane = LinkPlane.Create();
        Assert.NotEqual("a", Assert.Single(plane.Send("wan", From7(family, Coming("r", "a", family).Udp(1, 2).Build())).Select(sent => sent.Port).DefaultIfEmpty("")));
    }

    [Fact]
    public async Task Packet_LongerThanTheLink_IsAnsweredWithItsRoom()
    {
        await using TestPlane plane = LinkPlane.Create();

        // The links of the test carry 1,500 bytes and a link header; the identifier takes 8 of these.
        byte[] inner = Leaving("a", "r", 4).Udp(1, 2).PayloadOf(1492 - 28).Build();
        Same(Framed(inner), plane.SendForOne("a", inner, "l7"));
        Assert.Equal("a", Assert.Single(plane.Send("a", Leaving("a", "r", 6).Udp(1, 2).PayloadOf(1493 - 48).Build())).Port);
    }

    [Fact]
    public async Task Explain_FrameByALink_SaysWhereItGoes()
    {
        await using TestPlane plane = LinkPlane.Create();
        Explanation leaving = plane.Engine.Explain(Leaving("a", "r", 4).Udp(1, 2).Build(), "a");
        Assert.Equal("l7", leaving.OutPort);
        Assert.Contains(leaving.Steps, step => step is { Stage: "encapsulate", Outcome: "link" } && step.Detail.Contains("198.51.100.7", StringComparison.Ordinal));
        Explanation coming = plane.Engine.Explain(Framed(Coming("r", "a", 4).Udp(1, 2).Build()), "l7");
        Assert.Equal("a", coming.OutPort);
        Assert.Contains(coming.Steps, step => step is { Stage: "link", Outcome: "frame" });
        Assert.Equal(DropReason.OverlayUnknownVni, plane.Engine.Explain(Framed(Coming("t", "c", 4).Udp(1, 2).Build(), 5), "l7").Reason);
    }

    private static MacAddress GatewayMac => Switching.NetworkPlane.Blue;
}
