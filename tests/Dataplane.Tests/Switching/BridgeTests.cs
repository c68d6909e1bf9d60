using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Routing;
using Dataplane.Tracking;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Where packets of endpoints go, and where they do not: switched, routed, isolated.</summary>
public sealed class BridgeTests
{
    public static TheoryData<int> Families => [4, 6];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Direct_ToAnotherEndpoint_ArrivesAsItWasSent(int family)
    {
        await using TestPlane plane = Create();
        plane.Passes("a", Direct("a", "b", family).Tcp(1000, 80).PayloadOf(700), "b", Direct("a", "b", family).Tcp(1000, 80).PayloadOf(700));
        plane.Passes("b", Direct("b", "a", family, ttl: 1).Udp(1, 2), "a", Direct("b", "a", family, ttl: 1).Udp(1, 2));
        plane.Passes("c", Direct("c", "d", family).EchoRequest(1, 1).PayloadOf(56), "d", Direct("c", "d", family).EchoRequest(1, 1).PayloadOf(56));
        plane.Passes("c", Direct("c", "d", family).Carrying(132).PayloadOf(30), "d", Direct("c", "d", family).Carrying(132).PayloadOf(30));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Direct_Fragments_ArriveAsTheyWereSent(int family)
    {
        await using TestPlane plane = Create();
        foreach (byte[] fragment in Direct("a", "b", family).Udp(1, 2).PayloadOf(3000).BuildFragments(1400))
        {
            Same(fragment, plane.SendForOne("a", fragment, "b"));
        }
    }

    [Fact]
    public async Task Direct_BetweenLinkLocalAddresses_ArrivesAsItWasSent()
    {
        await using TestPlane plane = Create();
        PacketBuilder LinkLocal() => PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(LinkLocalOf("a"), LinkLocalOf("b")).Udp(1, 2);
        plane.Passes("a", LinkLocal(), "b", LinkLocal());
    }

    [Fact]
    public async Task Direct_PaddedOrTaggedWithAPriority_ArrivesPlain()
    {
        await using TestPlane plane = Create();
        byte[] padded = [.. Direct("a", "b", 4).Udp(1, 2).Build(), .. new byte[18]];
        Same(Direct("a", "b", 4).Udp(1, 2).Build(), plane.SendForOne("a", padded, "b"));
        plane.Passes("a", PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Vlan(0, priority: 5).Ip(AddressOf("a", 6), AddressOf("b", 6)).Udp(1, 2),
            "b", Direct("a", "b", 6).Udp(1, 2));
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Vlan(7).Ip(AddressOf("a", 6), AddressOf("b", 6)).Udp(1, 2), DropReason.NoInterface);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Routed_ToAnotherEndpoint_LosesAHop(int family)
    {
        await using TestPlane plane = Create();
        plane.Passes("a", Routed("a", "b", family).Udp(1, 2), "b", Arrived("a", "b", family).Udp(1, 2));
        plane.Dies("a", Routed("a", "b", family, ttl: 1).Udp(1, 2), DropReason.TtlExpired);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Routed_OutAndIn_PassesBothWays(int family)
    {
        await using TestPlane plane = Create();
        plane.Passes("a", Routed("a", "wan", family).Tcp(1000, 80), "wan", Arrived("a", "wan", family).Tcp(1000, 80));
        plane.Passes("wan", Routed("wan", "a", family).Tcp(80, 1000), "a", Arrived("wan", "a", family).Tcp(80, 1000));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Routed_ToAnotherNetwork_IsRefused(int family)
    {
        await using TestPlane plane = Create();
        byte[] answer = Assert.Single(plane.Dies("a", Routed("a", "c", family).Udp(1, 2), DropReason.NetworkIsolated)).Frame;
        var error = ParsedIcmp.Read(answer);
        Assert.Equal(family == 4 ? (3, 13) : (1, 1), (error.Type, error.Code));
    }

    [Theory]
    [InlineData(4, true)]
    [InlineData(6, false)]
    public async Task Routed_ToANetworkThatOneNames_PassesBothWays(int family, bool isFirst)
    {
        await using TestPlane plane = Create(blue => isFirst ? blue with { Reach = ["red"] } : blue, red => isFirst ? red : red with { Reach = ["blue"], Internal = true });
        plane.Passes("a", Routed("a", "c", family).Udp(1, 2), "c", Arrived("a", "c", family).Udp(1, 2));
        plane.Passes("c", Routed("c", "a", family).Udp(2, 1), "a", Arrived("c", "a", family).Udp(2, 1));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Internal_OutAndIn_IsRefused(int family)
    {
        await using TestPlane plane = Create(blue => blue with { Internal = true });
        plane.Dies("a", Routed("a", "wan", family).Udp(1, 2), DropReason.NetworkIsolated);
        plane.Dies("wan", Routed("wan", "a", family).Udp(1, 2), DropReason.NetworkIsolated);
        plane.Passes("a", Direct("a", "b", family).Udp(1, 2), "b", Direct("a", "b", family).Udp(1, 2));
        Assert.Single(plane.Send("a", Routed("a", "blue", family).EchoRequest(1, 1).Build()));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Isolate_EndpointToEndpoint_IsRefusedHoweverItIsSent(int family)
    {
        await using TestPlane plane = Create(blue => blue with { Isolate = true });
        plane.Dies("a", Direct("a", "b", family).Udp(1, 2), DropReason.NetworkIsolated);
        plane.Dies("a", Routed("a", "b", family).Udp(1, 2), DropReason.NetworkIsolated);
        plane.Passes("a", Routed("a", "wan", family).Udp(1, 2), "wan", Arrived("a", "wan", family).Udp(1, 2));
        plane.Passes("wan", Routed("wan", "a", family).Udp(1, 2), "a", Arrived("wan", "a", family).Udp(1, 2));
        Assert.Single(plane.Send("a", Routed("a", "blue", family).EchoRequest(1, 1).Build()));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Gateway_Pinged_Answers(int family)
    {
        await using TestPlane plane = Create();
        byte[] reply = plane.SendForOne("a", Routed("a", "blue", family).EchoRequest(7, 1).PayloadOf(56).Build(), "a");
        Same(PacketBuilder.Ethernet(Blue, MacOf("a")).Ip(AddressOf("blue", family), AddressOf("a", family)).EchoReply(7, 1).PayloadOf(56).Build(), reply);
    }

    [Fact]
    public async Task Gateway_PingedAtItsLinkLocalAddress_Answers()
    {
        await using TestPlane plane = Create();
        IpAddress gateway = Dataplane.Routing.L3Interface.LinkLocalOf(Blue);
        byte[] reply = plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(LinkLocalOf("a"), gateway).EchoRequest(7, 1).Build(), "a");
        Same(PacketBuilder.Ethernet(Blue, MacOf("a")).Ip(gateway, LinkLocalOf("a")).EchoReply(7, 1).Build(), reply);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Routed_ToAnAddressNobodyHas_IsRefused(int family)
    {
        await using TestPlane plane = Create();
        IpAddress nobody = IpAddress.Parse(family == 4 ? "10.89.0.77" : "fd00:89::77");
        byte[] answer = Assert.Single(plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(AddressOf("a", family), nobody).Udp(1, 2), DropReason.NoEndpoint)).Frame;
        var error = ParsedIcmp.Read(answer);
        Assert.Equal(family == 4 ? (3, 1) : (1, 3), (error.Type, error.Code));
        plane.Dies("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(AddressOf("wan", family), nobody).Udp(1, 2), DropReason.NoEndpoint);
    }

    [Fact]
    public async Task Direct_ToAHardwareAddressOfNobodyElse_IsDropped()
    {
        await using TestPlane plane = Create();
        foreach (MacAddress target in new[] { MacAddress.Parse("02:00:00:00:00:99"), MacOf("c"), MacOf("a"), Red })
        {
            plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), target).Ip(AddressOf("a", 4), AddressOf("b", 4)).Udp(1, 2), DropReason.UnknownStation);
        }
    }

    [Fact]
    public async Task Broadcast_AndMulticast_GoNowhere()
    {
        await using TestPlane plane = Create();
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Ipv4("10.89.0.2", "255.255.255.255").Udp(1, 2), DropReason.Broadcast);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Ipv4("10.89.0.2", "10.89.0.255").Udp(1, 2), DropReason.Broadcast);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Ipv4("10.89.0.2", "10.89.0.3").Udp(1, 2), DropReason.Broadcast);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ipv4("10.89.0.2", "10.90.0.255").Udp(1, 2), DropReason.Broadcast);
        plane.Dies("a", PacketBuilder.Ethernet("02:00:0a:00:00:61", "01:00:5e:00:00:fb").Ipv4("10.89.0.2", "224.0.0.251").Udp(5353, 5353), DropReason.Multicast);
        plane.Dies("a", PacketBuilder.Ethernet("02:00:0a:00:00:61", "33:33:00:00:00:16").Ip(LinkLocalOf("a"), IpAddress.Parse("ff02::16"), 1).Udp(1, 2), DropReason.Multicast);
    }

    [Fact]
    public async Task Mtu_OfTheNetwork_HoldsForSwitchedAndRouted()
    {
        await using TestPlane plane = Create(blue => blue with { Mtu = 1400 });
        byte[] answer = Assert.Single(plane.Dies("a", Direct("a", "b", 6).Udp(1, 2).PayloadOf(1400), DropReason.PacketTooBig)).Frame;
        Assert.Equal((2, 0, 1400u), (ParsedIcmp.Read(answer).Type, ParsedIcmp.Read(answer).Code, ParsedIcmp.Read(answer).Rest));
        plane.Dies("wan", Routed("wan", "a", 6).Udp(1, 2).PayloadOf(1400), DropReason.PacketTooBig);
    }

    [Fact]
    public async Task Filter_OfSwitchedPackets_HoldsAsForRouted()
    {
        await using TestPlane plane = Create(configure: builder => builder.Filter(filter => filter.Deny(to: "10.89.0.3/32", protocol: 6, toPort: "22", name: "no-ssh")));
        plane.Dies("a", Direct("a", "b", 4).Tcp(1000, 22), DropReason.FilterRule);
        plane.Dies("a", Routed("a", "b", 4).Tcp(1000, 22), DropReason.FilterRule);
        plane.Passes("a", Direct("a", "b", 4).Tcp(1000, 23), "b", Direct("a", "b", 4).Tcp(1000, 23));
        Assert.Equal(2, plane.Engine.ReadRules().Single(rule => rule.Name == "no-ssh").Packets);
    }

    [Theory]
    [InlineData(4, true)]
    [InlineData(6, true)]
    [InlineData(4, false)]
    [InlineData(6, false)]
    public async Task Filter_ByState_HoldsForSwitchedAndRouted(int family, bool isDirect)
    {
        await using TestPlane plane = Create(configure: builder => builder.Filter(filter => filter.Allow(state: ConnectionStates.Established)
            .Allow(state: ConnectionStates.New, protocol: 6, toPort: "80").DefaultDeny()));
        PacketBuilder Sent(string from, string to) => isDirect ? Direct(from, to, family) : Routed(from, to, family);
        PacketBuilder Came(string from, string to) => isDirect ? Direct(from, to, family) : Arrived(from, to, family);
        plane.Dies("b", Sent("b", "a").Tcp(80, 1000, TcpFlags.Syn), DropReason.FilterDefault);
        plane.Passes("a", Sent("a", "b").Tcp(1000, 80, TcpFlags.Syn, 10, 0), "b", Came("a", "b").Tcp(1000, 80, TcpFlags.Syn, 10, 0));
        plane.Passes("b", Sent("b", "a").Tcp(80, 1000, TcpFlags.Syn | TcpFlags.Ack, 20, 11), "a", Came("b", "a").Tcp(80, 1000, TcpFlags.Syn | TcpFlags.Ack, 20, 11));
        plane.Passes("a", Sent("a", "b").Tcp(1000, 80, TcpFlags.Ack, 11, 21).PayloadOf(9), "b", Came("a", "b").Tcp(1000, 80, TcpFlags.Ack, 11, 21).PayloadOf(9));
        plane.Dies("b", Sent("b", "a").Tcp(80, 1001, TcpFlags.Ack), DropReason.FilterDefault);

        // A connection that is followed is no opening between what has been kept apart since.
        await plane.Engine.UpdateAsync(spec => spec with { Networks = [spec.Networks[0] with { Isolate = true }, spec.Networks[1]] });
        plane.Dies("a", Sent("a", "b").Tcp(1000, 80, TcpFlags.Ack, 20, 21).PayloadOf(9), DropReason.NetworkIsolated);
    }

    [Fact]
    public async Task Explain_SwitchedAndSpoofed_SaysWhatHappens()
    {
        await using TestPlane plane = Create();
        Explanation switched = plane.Engine.Explain(Direct("a", "b", 4).Udp(1, 2).Build(), "a");
        Assert.Contains(switched.Steps, step => step is { Stage: "guard", Outcome: "genuine" });
        Assert.Contains(switched.Steps, step => step is { Stage: "switch", Outcome: "transmit" } && step.Detail.Contains("blue/b", StringComparison.Ordinal));
        Explanation spoofed = plane.Engine.Explain(Direct("b", "a", 4).Udp(1, 2).Build(), "a");
        Assert.Contains(spoofed.Steps, step => step is { Stage: "guard", Outcome: "spoofed_mac" });
        Assert.Equal(0, plane.Engine.ReadAccounting().Received);
    }

    [Fact]
    public async Task Route_ByAnEndpoint_LeadsToIt()
    {
        await using TestPlane plane = Create(configure: builder => builder.Route("203.0.113.0/24", "10.89.0.3"));
        byte[] sent = plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "203.0.113.9").Udp(1, 2).Build(), "b");
        Same(PacketBuilder.Ethernet(Blue, MacOf("b")).Ipv4("198.51.100.2", "203.0.113.9", ttl: 63).Udp(1, 2).Build(), sent);
    }

    [Fact]
    public async Task Endpoint_AddedAndRemovedWhileRunning_ComesAndGoesWithoutTheOthersNoticing()
    {
        await using TestPlane plane = Create(blue => blue with { Endpoints = [blue.Endpoints[0]] });
        plane.Dies("a", Direct("a", "b", 4).Udp(1, 2), DropReason.UnknownStation);
        plane.Dies("b", Direct("b", "a", 4).Udp(1, 2), DropReason.NoInterface);
        DataplaneSpec before = plane.Engine.Spec;
        await plane.Engine.UpdateAsync(spec => spec with { Networks = [Network("blue", 89, "a", "b"), spec.Networks[1]] });
        plane.Passes("a", Direct("a", "b", 4).Udp(1, 2), "b", Direct("a", "b", 4).Udp(1, 2));
        plane.Passes("wan", Routed("wan", "b", 6).Udp(1, 2), "b", Arrived("wan", "b", 6).Udp(1, 2));
        plane.Passes("c", Direct("c", "d", 4).Udp(1, 2), "d", Direct("c", "d", 4).Udp(1, 2));
        await plane.Engine.UpdateAsync(before);
        plane.Dies("a", Direct("a", "b", 4).Udp(1, 2), DropReason.UnknownStation);
        plane.Dies("wan", Routed("wan", "b", 6).Udp(1, 2), DropReason.NoEndpoint);
        plane.Passes("wan", Routed("wan", "a", 6).Udp(1, 2), "a", Arrived("wan", "a", 6).Udp(1, 2));
    }

    private static IpAddress LinkLocalOf(string name) => Dataplane.Routing.L3Interface.LinkLocalOf(MacOf(name));
}
