using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Nothing that endpoints do makes the engine allocate.</summary>
[Collection(AllocationCollection.Name)]
public sealed class NetworkAllocationTests
{
    [Fact]
    public async Task Worker_EverythingEndpointsDo_AllocatesNothing()
    {
        await using TestPlane plane = Create(configure: builder => builder.Nat("blue", "wan")
            .Service("web", "198.51.100.80", 80, service => service.Backend("10.89.0.3", 8080))
            .Service("self", "198.51.100.81", 80, service => service.Backend("10.89.0.2", 8080)));
        byte[][] frames =
        [
            Direct("a", "b", 4).Udp(1, 2).Build(), Direct("a", "b", 6).Udp(1, 2).Build(), Direct("a", "b", 6).Udp(1, 2).PayloadOf(1600).Build(), Direct("b", "a", 4).Udp(1, 2).Build(),
            Direct("a", "c", 4).Udp(1, 2).Build(), Routed("a", "b", 4).Udp(1, 2).Build(), Routed("a", "c", 6).Udp(1, 2).Build(), Routed("a", "wan", 4).Udp(1, 2).Build(),
            PacketBuilder.Ethernet(MacOf("a"), Blue).Ipv4("10.89.0.2", "198.51.100.80").Tcp(1, 80).Build(),
            PacketBuilder.Ethernet(MacOf("a"), Blue).Ipv4("10.89.0.2", "198.51.100.81").Tcp(1, 80).Build(),
            PacketBuilder.Ethernet(MacOf("a"), Blue).Ipv4("10.89.0.9", "198.51.100.81").Tcp(1, 80).Build(),
            PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.1").Build(),
            PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.2", "10.89.0.9").Build(),
            PacketBuilder.Ethernet(MacOf("a"), Blue).Ip(AddressOf("a", 6), IpAddress.SolicitedNode(AddressOf("b", 6)), 255)
                .NeighbourSolicitation(new NeighbourSolicitationFields { Target = AddressOf("b", 6), SourceLinkLayerAddress = MacOf("a") }).Build(),
            PacketBuilder.Ethernet(MacOf("a"), MacAddress.Broadcast).Ipv4("10.89.0.2", "255.255.255.255").Udp(1, 2).Build(),
        ];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        long switched = 0;
        for (int round = -2000; round < 5000; round++)
        {
            foreach (byte[] frame in frames)
            {
                plane["a"].TrySend(frame);
            }

            meter.Open();
            while (plane.Engine.RunOnce() > 0)
            {
            }

            meter.Close(counts: round >= 0);
            foreach (string port in PortNames)
            {
                while (plane[port].TryReceive(buffer, out _))
                {
                    switched++;
                }
            }
        }

        meter.AssertNone();
        Assert.True(switched > 7000 * 8, $"{switched} frames came out");
        Assert.Equal(7000, plane.Engine.ReadAccounting().DroppedFor(DropReason.SpoofedMac));
    }

    [Fact]
    public async Task Worker_WhatEndpointsAskOfTheirLink_AllocatesNothing()
    {
        await using TestPlane plane = Create(blue => blue with { Dhcp = new(), RouterAdvertisements = new() { Interval = TimeSpan.FromSeconds(4) } });
        byte[][] frames =
        [
            DhcpClient.Frame("a", DhcpClient.Message(DhcpClient.Discover, MacOf("a"), options: [DhcpClient.Option(61, 1, 2, 3)])),
            DhcpClient.Frame("a", DhcpClient.Message(DhcpClient.Request, MacOf("a"), options: [DhcpClient.Address(50, "10.89.0.9")])),
            DhcpClient.Frame("a", DhcpClient.Message(DhcpClient.Request, MacOf("a"), client: "10.89.0.2"), "10.89.0.2", "10.89.0.1"),
            DhcpClient.Frame("a", DhcpClient.Message(DhcpClient.Release, MacOf("a"))[..243]),
            Direct("a", "b", 4).Udp(67, 68).Build(),
            PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(IpAddress.Parse("ff02::2"))).Ip(AddressOf("a", 6), IpAddress.Parse("ff02::2"), 255)
                .RouterSolicitation(new RouterSolicitationFields { SourceLinkLayerAddress = MacOf("a") }).Build(),
            PacketBuilder.Ethernet(MacOf("a"), MacOf("b")).Ip(AddressOf("a", 6), AddressOf("b", 6), 255).RouterAdvertisement(default).Build(),
        ];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        long heard = 0;
        for (int round = -2000; round < 3000; round++)
        {
            plane.Clock.Advance(TimeSpan.FromSeconds(1));
            foreach (byte[] frame in frames)
            {
                plane["a"].TrySend(frame);
            }

            meter.Open();
            while (plane.Engine.RunOnce() > 0)
            {
            }

            meter.Close(counts: round >= 0);
            foreach (string port in PortNames)
            {
                while (plane[port].TryReceive(buffer, out _))
                {
                    heard++;
                }
            }
        }

        meter.AssertNone();

        // Three answers by DHCP and one to the solicitation in each round, and what nobody has asked for.
        Assert.True(heard > 5000 * 4, $"{heard} frames came out");
        Assert.Equal(5000, plane.Engine.ReadAccounting().DroppedFor(DropReason.RogueRouter));
    }
}
