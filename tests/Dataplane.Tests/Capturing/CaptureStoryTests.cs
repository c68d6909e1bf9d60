using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Names;
using Dataplane.Tests.Nat;
using Dataplane.Tests.Nat64;
using Dataplane.Tests.Overlays;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reassembly;
using Dataplane.Tests.Tunnels;

namespace Dataplane.Tests.Capturing;

/// <summary>The whole story that a capture tells of a packet, line by line: where it was seen, how it came there, and what became of it.</summary>
public sealed class CaptureStoryTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Overlay_IsSeenInsideAndOutside(int underlay)
    {
        await using TestPlane plane = OverlayPlane.Create(underlay);
        CaptureLedger seen = plane.Capture();
        plane.SendForOne("a", OverlayPlane.Leaving("a", "r", 4).Udp(1, 2).Build(), "wan");
        plane.SendForOne("wan", OverlayPlane.From7(underlay, OverlayPlane.Coming("r", "a", 4).Udp(1, 2).Build()), "a");
        AssertSays(seen,
            "a Received Received sent by vx-blue; next hop on-link on vx-blue",
            "vx-blue Sent Received received on a; next hop on-link on vx-blue",
            "wan Sent Outer made by the engine around a frame of an overlay",
            "wan Received Received held: taken apart, the frame inside goes on",
            "vx-blue Received Inner sent by a; next hop on-link on a",
            "a Sent Inner received on vx-blue; next hop on-link on a");
    }

    [Theory]
    [InlineData(ForwardMode.Ipip)]
    [InlineData(ForwardMode.Gue)]
    public async Task TunnelToABackend_IsThePacketThatLeaves(ForwardMode mode)
    {
        var net = new TunnelNet(6, 4, mode);
        await using TestPlane plane = net.Create(hosts: [11]);
        CaptureLedger seen = plane.Capture();
        plane.SendForOne("wan", net.Net.FromClient().Tcp(1000, 80).Build(), "lan");
        AssertSays(seen,
            "wan Received Received sent by lan; service web backend 10.1.0.11:80; next hop on-link on lan",
            "lan Sent Received received on wan; service web backend 10.1.0.11:80; next hop on-link on lan");
    }

    [Fact]
    public async Task AnswersOfTheEngine_AreMadeByIt()
    {
        await using TestPlane plane = NameNet.Create();
        CaptureLedger seen = plane.Capture();
        plane.Send("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.1").Build());
        plane.Send("wan", NameNet.Frame(PlainDns.Query("web.mesh.example", 1)));
        plane.Send("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11", ttl: 1).Udp(1, 2).Build());
        plane.Send("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", "2001:db8:1::1").EchoRequest(1, 1).Build());
        AssertSays(seen,
            "wan Received Received answered by the engine, by wan",
            "wan Sent Received made by the engine",
            "wan Received Received used by the engine: consumed_dns",
            "wan Sent Originated made by the engine",
            "wan Received Received dropped: ttl_expired",
            "wan Sent Originated made by the engine",
            "wan Received Received answered by the engine, by wan; next hop on-link on wan",
            "wan Sent Received made by the engine; next hop on-link on wan");
    }

    [Fact]
    public async Task PacketForAnUnknownNeighbour_WaitsAndGoesOn()
    {
        await using TestPlane plane = TestPlane.Create();
        CaptureLedger seen = plane.Capture();
        plane.Send("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.77").Udp(1, 2).Build());
        plane.Send("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).ArpReply("10.1.0.77", TestPlane.LanMac.ToString(), "10.1.0.1").Build());
        AssertSays(seen,
            "wan Received Received held: waits for the hardware address of its next hop; next hop on-link on lan",
            "lan Sent Originated made by the engine",
            "lan Received Received used by the engine: consumed_arp",
            "lan Sent Released received on wan, has waited; next hop on-link on lan");
    }

    [Fact]
    public async Task PacketOfTheEngineForAnUnknownNeighbour_WaitsInVain()
    {
        // The error about a packet of a host that cannot be asked back.
        await using TestPlane plane = TestPlane.Create();
        CaptureLedger seen = plane.Capture();
        plane.Send("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.77", "10.1.0.11", ttl: 1).Udp(1, 2).Build());
        plane.Wait(TimeSpan.FromSeconds(5));
        AssertSays(seen,
            "wan Received Received dropped: ttl_expired",
            "wan Sent Originated made by the engine",
            "wan Sent Originated made by the engine",
            "wan Sent Originated made by the engine",
            "wan Dropped Released dropped: neighbour_unresolved; made by the engine, has waited");
    }

    [Fact]
    public async Task FragmentsBeforeTheFirst_WaitAndGoOn()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("wan", "lan"));
        CaptureLedger seen = plane.Capture();
        IReadOnlyList<byte[]> pieces = Pieces.Of(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11").Udp(1000, 2).PayloadOf(100), 64, 7);
        plane.Send("wan", pieces[1]);
        plane.Send("wan", pieces[0]);
        AssertSays(seen,
            "wan Received Received held: waits for the first fragment of its datagram",
            "wan Received Received sent by lan; next hop on-link on lan",
            "lan Sent Received received on wan; next hop on-link on lan",
            "lan Sent Released received on wan, has waited; next hop on-link on lan");
    }

    [Fact]
    public async Task Nat64_IsOfBothFamilies()
    {
        await using TestPlane plane = Nat64Net.Create();
        CaptureLedger seen = plane.Capture();
        plane.SendForOne("lan", Nat64Net.FromInside().Tcp(40000, 443).Build(), "wan");
        plane.SendForOne("wan", Nat64Net.FromOutside().Tcp(443, 40000, TcpFlags.Syn | TcpFlags.Ack).Build(), "lan");
        AssertSays(seen,
            "lan Received Received sent by wan; next hop on-link on wan",
            "wan Sent Received received on lan; next hop on-link on wan",
            "wan Received Received sent by lan; next hop on-link on lan",
            "lan Sent Received received on wan; next hop on-link on lan");
    }

    [Fact]
    public async Task Hairpin_IsTurnedBackInside()
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(Dataplane.Nat.NatFiltering.EndpointIndependent));
        ushort outside = net.Open(plane, 11, 5000, net.Remote(1));
        CaptureLedger seen = plane.Capture();
        plane.SendForOne("lan", net.From(12, net.Gateway).Udp(6000, outside).Build(), "lan");
        AssertSays(seen,
            "lan Received Received held: turned back inside",
            "lan Sent Hairpin received on lan, turned back inside");
    }

    [Fact]
    public async Task TwoWorkers_SayWhoHasIt()
    {
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            builder.Workers(workers => workers with { Count = 2 });
            ServiceNet.V4.Add(builder, "web", 80, tcp: false, BalancePolicy.Maglev, 11);
        });
        CaptureLedger seen = plane.Capture();
        for (ushort port = 2000; port < 2004; port++)
        {
            plane.SendForOne("wan", ServiceNet.V4.FromClient().Udp(port, 80).Build(), "lan");
            plane.SendForOne("lan", ServiceNet.V4.FromBackend(11).Udp(8080, port).Build(), "wan");
        }

        AssertSays(seen,
            "wan Received Received sent by lan; service web backend 10.1.0.11:8080; next hop on-link on lan",
            "lan Sent Received received on wan; service web backend 10.1.0.11:8080; next hop on-link on lan",
            "wan Sent TakenOver received on lan by another worker; service web backend 10.1.0.11:8080; next hop on-link on wan",
            "lan Received Received held: goes on at another worker",
            "wan Received Received sent by lan; service web backend 10.1.0.11:8080; next hop on-link on lan",
            "lan Sent Received received on wan; service web backend 10.1.0.11:8080; next hop on-link on lan",
            "wan Sent TakenOver received on lan by another worker; service web backend 10.1.0.11:8080; next hop on-link on wan",
            "lan Received Received held: goes on at another worker",
            "wan Received Received held: goes on at another worker",
            "lan Sent TakenOver received on wan by another worker; service web backend 10.1.0.11:8080; next hop on-link on lan",
            "lan Received Received sent by wan; service web backend 10.1.0.11:8080; next hop on-link on wan",
            "wan Sent Received received on lan; service web backend 10.1.0.11:8080; next hop on-link on wan",
            "wan Received Received sent by lan; service web backend 10.1.0.11:8080; next hop on-link on lan",
            "lan Sent Received received on wan; service web backend 10.1.0.11:8080; next hop on-link on lan",
            "wan Sent TakenOver received on lan by another worker; service web backend 10.1.0.11:8080; next hop on-link on wan",
            "lan Received Received held: goes on at another worker");
    }

    private static void AssertSays(CaptureLedger seen, params string[] lines) => Assert.Equal(string.Join('\n', lines), string.Join('\n', seen.Words));
}
