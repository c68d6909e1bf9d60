using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Who is who on the link: what endpoints may say of themselves, and what they are told of others.</summary>
public sealed class GuardTests
{
    private static readonly IpAddress s_allNodes = IpAddress.Parse("ff02::1");

    public static TheoryData<int> Families => [4, 6];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Frame_FromAnotherHardwareAddress_IsDropped(int family)
    {
        await using TestPlane plane = Create();
        foreach (MacAddress source in new[] { MacOf("b"), Blue, MacAddress.Parse("02:00:0a:00:00:62"), MacAddress.Broadcast, default })
        {
            plane.Dies("a", PacketBuilder.Ethernet(source, Blue).Ip(AddressOf("a", family), AddressOf("wan", family)).Udp(1, 2), DropReason.SpoofedMac);
        }

        plane.Dies("a", PacketBuilder.Ethernet(MacOf("b"), MacAddress.Broadcast).ArpRequest("10.89.0.3", "10.89.0.1"), DropReason.SpoofedMac);
    }

    [Theory]
    [InlineData("10.89.0.3")]
    [InlineData("10.89.0.1")]
    [InlineData("10.89.0.77")]
    [InlineData("198.51.100.2")]
    [InlineData("0.0.0.0")]
    [InlineData("127.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("fd00:89::3")]
    [InlineData("fd00:89::1")]
    [InlineData("fd00:90::2")]
    [InlineData("fe80::1")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("ff02::1")]
    public async Task Packet_FromAnotherAddress_IsDropped(string source)
    {
        await using TestPlane plane = Create();
        var address = IpAddress.Parse(source);
        int family = address.IsIpv4 ? 4 : 6;
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(address, AddressOf("wan", family)).Udp(1, 2), DropReason.SpoofedAddress);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(address, AddressOf("b", family)).Tcp(1, 2), DropReason.SpoofedAddress);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Packet_FromOutsideUnderAnEndpointsAddress_IsDropped(int family)
    {
        await using TestPlane plane = Create();
        plane.Dies("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(AddressOf("b", family), AddressOf("a", family)).Udp(1, 2), DropReason.SpoofedAddress);
        plane.Dies("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(AddressOf("blue", family), AddressOf("a", family)).Udp(1, 2), DropReason.OwnSource);
    }

    [Fact]
    public async Task Packet_OfAnEstablishedFlowFromAnotherHardwareAddress_IsDropped()
    {
        await using TestPlane plane = Create(configure: builder => builder.Nat("blue", "wan"));
        byte[] frame = Routed("a", "wan", 4).Udp(1000, 53).Build();
        plane.SendForOne("a", frame, "wan");
        plane.SendForOne("a", frame, "wan");
        frame[11] ^= 1;
        plane.SendForDrop("a", frame, DropReason.SpoofedMac);
    }

    [Theory]
    [InlineData("10.89.0.1", "blue")]
    [InlineData("10.89.0.3", "b")]
    public async Task Arp_ForGatewayOrEndpoint_IsAnsweredWithItsHardwareAddress(string target, string owner)
    {
        await using TestPlane plane = Create();
        byte[] answer = plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", target).Build(), "a");
        MacAddress mac = owner == "blue" ? Blue : MacOf(owner);
        Same(PacketBuilder.Ethernet(mac, MacOf("a")).ArpReply(target, MacOf("a").ToString(), "10.89.0.2").Build(), answer);
    }

    [Fact]
    public async Task Arp_InAnIsolatedNetwork_IsAnsweredWithTheGateways()
    {
        await using TestPlane plane = Create(blue => blue with { Isolate = true });
        byte[] answer = plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.3").Build(), "a");
        Same(PacketBuilder.Ethernet(Blue, MacOf("a")).ArpReply("10.89.0.3", MacOf("a").ToString(), "10.89.0.2").Build(), answer);
    }

    [Fact]
    public async Task Arp_ForAServiceOnTheLink_IsAnsweredWithTheGateways()
    {
        await using TestPlane plane = Create(configure: builder => builder.Service("web", "10.89.0.80", 80, service => service.Backend("10.89.0.3", 8080)));
        byte[] answer = plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.80").Build(), "a");
        Same(PacketBuilder.Ethernet(Blue, MacOf("a")).ArpReply("10.89.0.80", MacOf("a").ToString(), "10.89.0.2").Build(), answer);
    }

    [Theory]
    [InlineData("10.89.0.2", "10.89.0.77")] // Nobody's.
    [InlineData("10.89.0.2", "10.90.0.2")] // On another network.
    [InlineData("0.0.0.0", "10.89.0.2")] // A probe for its own.
    public async Task Arp_ForAnAddressThatIsNobodyElses_IsNotAnswered(string sender, string target)
    {
        await using TestPlane plane = Create();
        Assert.Empty(plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest(sender, target), DropReason.NeighbourNotForUs));
    }

    [Fact]
    public async Task Arp_ProbeForAnothersAddress_HearsThatItIsTaken()
    {
        await using TestPlane plane = Create();
        byte[] answer = plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("0.0.0.0", "10.89.0.3").Build(), "a");
        Same(PacketBuilder.Ethernet(MacOf("b"), MacOf("a")).ArpReply("10.89.0.3", MacOf("a").ToString(), "0.0.0.0").Build(), answer);
    }

    [Fact]
    public async Task Arp_AboutItself_IsTakenIn()
    {
        await using TestPlane plane = Create();
        Assert.Empty(plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.2"), DropReason.ConsumedArp));
        Assert.Empty(plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), Blue).ArpReply("10.89.0.2", Blue.ToString(), "10.89.0.1"), DropReason.ConsumedArp));
    }

    [Fact]
    public async Task Arp_ThatLies_IsDropped()
    {
        await using TestPlane plane = Create();
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.3", "10.89.0.3"), DropReason.SpoofedNeighbour);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).ArpReply("10.89.0.1", MacOf("b").ToString(), "10.89.0.3"), DropReason.SpoofedNeighbour);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Arp(new ArpFields
        {
            Operation = ArpOperation.Request,
            SenderMac = MacOf("b"),
            SenderAddress = IpAddress.Parse("10.89.0.2"),
            TargetAddress = IpAddress.Parse("10.89.0.1"),
        }), DropReason.SpoofedNeighbour);
        plane.SendForDrop("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.1").Build()[..40], DropReason.MalformedArp);
    }

    [Theory]
    [InlineData("fd00:89::1", "blue")]
    [InlineData("fd00:89::3", "b")]
    [InlineData("link-local of b", "b")]
    [InlineData("link-local of the gateway", "blue")]
    public async Task Solicitation_ForGatewayOrEndpoint_IsAnsweredWithItsHardwareAddress(string asked, string owner)
    {
        await using TestPlane plane = Create();
        MacAddress mac = owner == "blue" ? Blue : MacOf(owner);
        IpAddress target = asked.StartsWith('f') ? IpAddress.Parse(asked) : L3Interface.LinkLocalOf(mac), source = AddressOf("a", 6);
        foreach (bool isProbeOfReachability in new[] { false, true })
        {
            // To the group of the address, and straight to who has it, as the kernel does to see whether it is still there.
            IpAddress to = isProbeOfReachability ? target : IpAddress.SolicitedNode(target);
            MacAddress link = isProbeOfReachability ? mac : MacAddress.ForIpv6Multicast(to);
            byte[] answer = plane.SendForOne("a", PacketBuilder.Ethernet(MacOf("a"), link).Ip(source, to, 255)
                .NeighbourSolicitation(new NeighbourSolicitationFields { Target = target, SourceLinkLayerAddress = MacOf("a") }).Build(), "a");
            byte[] expected = PacketBuilder.Ethernet(Blue, MacOf("a")).Ip(target, source, 255).NeighbourAdvertisement(new NeighbourAdvertisementFields
            {
                Target = target,
                IsRouter = owner == "blue",
                IsSolicited = true,
                IsOverride = true,
                TargetLinkLayerAddress = mac,
            }).Build();
            Same(expected, answer);
        }
    }

    [Fact]
    public async Task Solicitation_ThatChecksAnothersAddress_HearsThatItIsTaken()
    {
        await using TestPlane plane = Create();
        byte[] answer = plane.SendForOne("a", Probe(AddressOf("b", 6)).Build(), "a");
        ReferencePacket seen = ReferenceDecoder.Decode(answer);
        Assert.Equal(("ff02::1", "fd00:89::3", MacAddress.ForIpv6Multicast(s_allNodes).ToString()), (seen.Destination, seen.Source, seen.DestinationMac));
    }

    [Fact]
    public async Task Solicitation_ThatChecksItsOwnAddressOrNobodys_IsNotAnswered()
    {
        await using TestPlane plane = Create();
        foreach (IpAddress target in new[] { AddressOf("a", 6), L3Interface.LinkLocalOf(MacOf("a")), IpAddress.Parse("fd00:89::77"), L3Interface.LinkLocalOf(MacOf("c")), AddressOf("c", 6) })
        {
            Assert.Empty(plane.Dies("a", Probe(target), DropReason.NeighbourNotForUs));
        }
    }

    [Fact]
    public async Task Discovery_ThatLies_IsDropped()
    {
        await using TestPlane plane = Create();
        PacketBuilder From(IpAddress to) => PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(s_allNodes)).Ip(AddressOf("a", 6), to, 255);
        PacketBuilder Says(IpAddress target, MacAddress mac) => From(s_allNodes).NeighbourAdvertisement(new NeighbourAdvertisementFields
        {
            Target = target,
            IsOverride = true,
            TargetLinkLayerAddress = mac,
        });
        PacketBuilder Asks(MacAddress mac) => From(IpAddress.SolicitedNode(AddressOf("b", 6)))
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = AddressOf("b", 6), SourceLinkLayerAddress = mac });
        plane.Dies("a", Says(AddressOf("b", 6), MacOf("a")), DropReason.SpoofedNeighbour);
        plane.Dies("a", Says(AddressOf("blue", 6), MacOf("a")), DropReason.SpoofedNeighbour);
        plane.Dies("a", Says(AddressOf("a", 6), MacOf("b")), DropReason.SpoofedNeighbour);
        plane.Dies("a", Says(AddressOf("a", 6), MacOf("a")), DropReason.ConsumedNeighbourDiscovery);
        plane.Dies("a", Asks(MacOf("b")), DropReason.SpoofedNeighbour);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(s_allNodes)).Ip(L3Interface.LinkLocalOf(MacOf("a")), s_allNodes, 255)
            .RouterAdvertisement(new RouterAdvertisementFields { LifetimeSeconds = 1800 }), DropReason.RogueRouter);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(L3Interface.LinkLocalOf(MacOf("a")), AddressOf("b", 6), 255)
            .NdRedirect(new NdRedirectFields { Target = AddressOf("a", 6), Destination = AddressOf("wan", 6) }), DropReason.RogueRouter);
        plane.Dies("a", PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(s_allNodes)).Ip(AddressOf("a", 6), s_allNodes, 64)
            .NeighbourAdvertisement(new NeighbourAdvertisementFields { Target = AddressOf("a", 6) }), DropReason.BadNeighbourMessage);
    }

    private static PacketBuilder Probe(IpAddress target)
    {
        IpAddress group = IpAddress.SolicitedNode(target);
        return PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(group)).Ip(IpAddress.AnyV6, group, 255)
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = target });
    }
}
