using Dataplane.Balancing;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tests.Bridging;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Names;
using Dataplane.Tests.Nat;
using Dataplane.Tests.Overlays;
using Dataplane.Tests.Reassembly;
using Dataplane.Tests.Rewriting;
using Dataplane.Tests.Switching;
using Dataplane.Tests.Tunnels;

namespace Dataplane.Tests.Pipeline;

/// <summary>Every reason for which a packet can be dropped is one that a packet can meet.</summary>
public sealed class DropReasonTests
{
    private static readonly Dictionary<DropReason, Func<Task<Accounting>>> s_cases = new()
    {
        [DropReason.TruncatedEthernet] = () => One(new byte[13]),
        [DropReason.NotForUs] = () => One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.ServerMac).Ipv4("198.51.100.2", "10.1.0.11").Udp(1, 2).Build()),
        [DropReason.NoInterface] = () =>
            One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Vlan(99).Ipv4("198.51.100.2", "10.1.0.11").Udp(1, 2).Build()),
        [DropReason.UnknownEtherType] = () => One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Carrying(0x88CC).PayloadOf(40).Build()),
        [DropReason.MalformedArp] = () =>
            One(PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.1").Build()[..40]),
        [DropReason.TruncatedIp] = () => One(V4("10.1.0.11").Udp(1, 2).PayloadOf(100).Build()[..100]),
        [DropReason.BadIpVersion] = () => One(Damaged(V4("10.1.0.11").Udp(1, 2).Build(), 14, 0x55)),
        [DropReason.BadIpHeaderLength] = () => One(Damaged(V4("10.1.0.11").Udp(1, 2).Build(), 14, 0x44)),
        [DropReason.BadIpLength] = () => One(Damaged(V4("10.1.0.11").Udp(1, 2).Build(), 17, 19)),
        [DropReason.BadIpChecksum] = () => One(Damaged(V4("10.1.0.11").Udp(1, 2).Build(), 24, 0)),
        [DropReason.BadExtensionHeader] = () => One(V6("2001:db8:2::11").Carrying(IpProtocols.HopByHop).PayloadOf(4).Build()),
        [DropReason.BadFragment] = () => One(V6("2001:db8:2::11").Fragment(0, moreFragments: true, 1).Carrying(IpProtocols.Tcp).PayloadOf(8).Build()),
        [DropReason.TruncatedTransport] = () => One(V4("10.1.0.11").Carrying(IpProtocols.Tcp).PayloadOf(19).Build()),
        [DropReason.BadOffload] = () => SuperFrame(0),
        [DropReason.TunnelMalformed] = () => Tunnelled(V4("203.0.113.5").Carrying(4).PayloadOf(20)),
        [DropReason.TunnelSource] = () => Tunnelled(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.3", "203.0.113.5").Udp(1, 6080)),
        [DropReason.TunnelFragment] = () => One(V4("203.0.113.5").Udp(1, 6080).PayloadOf(900).BuildFragments(512)[0], TunnelNet.TakeOut),
        [DropReason.TunnelNested] = () => Tunnelled(V4("203.0.113.5").Carrying(4).Payload(V4("203.0.113.5").Carrying(4).PayloadOf(20).Build().AsSpan(14))),
        [DropReason.TunnelCongestion] = () => Tunnelled(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "203.0.113.5", tos: 3)
            .Carrying(4).Payload(V4("10.1.0.11").Udp(1, 2).Build().AsSpan(14))),
        [DropReason.MartianSource] = () => One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("127.0.0.1", "10.1.0.11").Udp(1, 2).Build()),
        [DropReason.MartianDestination] = () => One(V4("127.0.0.1").Udp(1, 2).Build()),
        [DropReason.OwnSource] = () => One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("10.1.0.1", "10.1.0.11").Udp(1, 2).Build()),
        [DropReason.SpoofedMac] = () => Endpoint("a", NetworkPlane.Direct("b", "a", 4).Udp(1, 2)),
        [DropReason.SpoofedAddress] = () => Endpoint("a", PacketBuilder.Ethernet(NetworkPlane.MacOf("a"), NetworkPlane.Blue).Ipv4("10.89.0.9", "10.89.0.3").Udp(1, 2)),
        [DropReason.SpoofedNeighbour] = () =>
            Endpoint("a", PacketBuilder.Ethernet(NetworkPlane.MacOf("a"), MacAddress.Broadcast).ArpRequest("10.89.0.3", "10.89.0.1")),
        [DropReason.RogueRouter] = () => Endpoint("a", PacketBuilder.Ethernet(NetworkPlane.MacOf("a"), NetworkPlane.MacOf("b"))
            .Ip(NetworkPlane.AddressOf("a", 6), NetworkPlane.AddressOf("b", 6), 255).RouterAdvertisement(default)),
        [DropReason.RogueDhcp] = () => Endpoint("a", NetworkPlane.Direct("a", "b", 4).Udp(67, 68)),
        [DropReason.DhcpInvalid] = () => Dhcp("a", PacketBuilder.Ethernet(NetworkPlane.MacOf("a"), MacAddress.Broadcast).Ipv4("0.0.0.0", "255.255.255.255").Udp(68, 67)),
        [DropReason.DhcpNoAddress] = () => Dhcp("b", PacketBuilder.Ethernet(NetworkPlane.MacOf("b"), MacAddress.Broadcast).Ipv4("0.0.0.0", "255.255.255.255").Udp(68, 67)),
        [DropReason.ConsumedDhcp] = () => Dhcp("a", PacketBuilder.Ethernet(NetworkPlane.MacOf("a"), MacAddress.Broadcast).Ipv4("0.0.0.0", "255.255.255.255").Udp(68, 67)
            .Payload(DhcpClient.Message(DhcpClient.Discover, NetworkPlane.MacOf("a")))),
        [DropReason.UnknownStation] = () => Endpoint("a", NetworkPlane.Direct("a", "c", 4).Udp(1, 2)),
        [DropReason.BadSourceMac] = () => Bridge(Frames.Of(Frames.Host(2), Frames.Everybody)),
        [DropReason.BridgeReserved] = () => Bridge(Frames.Of(0x0180_C200_0000, Frames.Host(1))),
        [DropReason.BridgeSamePort] = () => Bridge(Frames.Of(Frames.Host(1), Frames.Host(2)), Frames.Of(Frames.Host(2), Frames.Host(1))),
        [DropReason.FloodLimited] = () => Bridge(Frames.Of(Frames.Everybody, Frames.Host(1)), Frames.Of(Frames.Everybody, Frames.Host(1))),
        [DropReason.MacMoveLimited] = MoveAnAddress,
        [DropReason.OverlayMalformed] = () => Overlay("wan", OverlayPlane.From7(4, new byte[13])),
        [DropReason.OverlayUnknownVni] = () => Overlay("wan", OverlayPlane.From7(4, new byte[64], vni: 1)),
        [DropReason.OverlayUnknownPeer] = () => Overlay("wan", OverlayPlane.Wrap(OverlayPlane.PeerMac(7), TestPlane.WanMac, OverlayPlane.Peer(9, 4), OverlayPlane.Local(4),
            50000, 4789, OverlayPlane.BlueVni, new byte[64])),
        [DropReason.OverlayForged] = () => Overlay("a", OverlayPlane.Wrap(NetworkPlane.MacOf("a"), NetworkPlane.Blue, NetworkPlane.AddressOf("a", 4), OverlayPlane.Peer(7, 4),
            50000, 4789, OverlayPlane.BlueVni, new byte[64])),
        [DropReason.OverlayCongestion] = () => Overlay("wan", OverlayPlane.From7(4, OverlayPlane.Coming("r", "a", 4).Udp(1, 2).Build(), congestion: 3)),
        [DropReason.OverlayLoop] = SendInACircle,
        [DropReason.RateLimited] = SendBeyondARate,
        [DropReason.NetworkIsolated] = () => Endpoint("a", NetworkPlane.Routed("a", "c", 4).Udp(1, 2)),
        [DropReason.NoEndpoint] = () => Endpoint("a", PacketBuilder.Ethernet(NetworkPlane.MacOf("a"), NetworkPlane.Blue).Ipv4("10.89.0.2", "10.89.0.9").Udp(1, 2)),
        [DropReason.Broadcast] = () => One(V4("255.255.255.255").Udp(68, 67).Build()),
        [DropReason.Multicast] = () => One(V4("224.0.0.5").Udp(1, 2).Build()),
        [DropReason.FilterRule] = () => One(V4("10.1.0.11").Udp(1, 2).Build(), builder => builder.Filter(filter => filter.Deny(protocol: 17))),
        [DropReason.FilterDefault] = () => One(V4("10.1.0.11").Udp(1, 2).Build(), builder => builder.Filter(filter => filter.Allow(protocol: 6).DefaultDeny())),
        [DropReason.FragmentOverlap] = () => Many([.. Enumerable.Repeat(V4("10.1.0.11").Udp(1, 2).PayloadOf(100).BuildFragments(64)[0], 2)], builder => builder.Nat("wan", "lan")),
        [DropReason.FragmentTimeout] = () => Many([V4("10.1.0.11").Udp(1, 2).PayloadOf(100).BuildFragments(64)[1]], builder => builder.Nat("wan", "lan"), seconds: 6),
        [DropReason.FragmentStoreFull] = () => Many([.. Enumerable.Range(1, 17).Select(id => Pieces.Of(V4("10.1.0.11").Udp(1, 2).PayloadOf(100), 64, (uint)id)[1])],
            builder => builder.Nat("wan", "lan")),
        [DropReason.NatFiltered] = SendToMappedPort,
        [DropReason.Nat64Address] = () => One(V6("64:ff9b::10.1.0.11").Udp(1, 2).Build(), builder => builder.Nat(new NatSpec { Inside = "wan", Outside = "lan", Nat64 = IpPrefix.Parse("64:ff9b::/96") })),
        [DropReason.NatUnsupported] = () => One(V4("10.1.0.11").Carrying(47).PayloadOf(8).Build(), builder => builder.Nat("wan", "lan")),
        [DropReason.NoBackend] = () => One(ServiceNet.V4.FromClient().Udp(1, 80).Build(), builder => Service(builder)),
        [DropReason.FlowReset] = ResetAFlow,
        [DropReason.FlowTableFull] = FillTheFlowTable,
        [DropReason.NoFreePort] = ExhaustPorts,
        [DropReason.TtlExpired] = () =>
            One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11", ttl: 1).Udp(1, 2).Build()),
        [DropReason.NoRoute] = () => One(V4("192.0.2.1").Udp(1, 2).Build()),
        [DropReason.RouteBlackhole] = () => One(V4("192.0.2.1").Udp(1, 2).Build(), builder => builder.RouteReject("192.0.2.0/24", RouteReject.Blackhole)),
        [DropReason.RouteUnreachable] = () => One(V4("192.0.2.1").Udp(1, 2).Build(), builder => builder.RouteReject("192.0.2.0/24", RouteReject.Unreachable)),
        [DropReason.RouteProhibited] = () => One(V4("192.0.2.1").Udp(1, 2).Build(), builder => builder.RouteReject("192.0.2.0/24", RouteReject.Prohibited)),
        [DropReason.PacketTooBig] = () => Many([V6("2001:db8:2::11").Udp(1, 2).PayloadOf(1300).Build()], lanMtu: 1280),
        [DropReason.NeighbourUnresolved] = () => Many([V4("10.1.0.99").Udp(1, 2).Build()], seconds: 5),
        [DropReason.NeighbourQueueFull] = () => Many([.. Enumerable.Repeat(V4("10.1.0.99").Udp(1, 2).Build(), 17)], seconds: 5),
        [DropReason.NeighbourTableFull] = () => Many([.. Enumerable.Range(20, 65).Select(host => V4($"10.1.0.{host}").Udp(1, 2).Build())],
            builder => builder.Workers(workers => workers with { NeighbourEntries = 64 }), seconds: 5),
        [DropReason.BadNeighbourMessage] = () =>
            One(PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.1", "198.51.100.1").Build()),
        [DropReason.NeighbourNotForUs] = () =>
            One(PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.9").Build()),
        [DropReason.LocalUnreachable] = () => One(V4("198.51.100.1").Udp(1, 2).Build()),
        [DropReason.IcmpInvalid] = () => One(Damaged(V4("198.51.100.1").EchoRequest(1, 1).PayloadOf(8).Build(), 42, 0xFF)),
        [DropReason.DnsInvalid] = () => One(V4("198.51.100.1").Udp(4000, 53).PayloadOf(11).Build(), builder => builder.Names(NameNet.Spec)),
        [DropReason.DnsRateLimited] = () => Many([.. Enumerable.Repeat(NameNet.Frame(PlainDns.Query("web.mesh.example", 1)), 2)],
            builder => builder.Names(NameNet.Spec with { QueriesPerSecond = 10 })),
        [DropReason.TransmitRingFull] = FillTransmitRing,
        [DropReason.WorkerRingFull] = FillWorkerRing,
        [DropReason.LinkDown] = TakeLinkDown,
        [DropReason.FrameTooLong] = SendBeyondASlot,
        [DropReason.NoBuffer] = () => Many([.. Enumerable.Repeat(V4("10.1.0.11").Udp(1, 2).PayloadOf(1400).Build(), 256)], lanMtu: 600),
        [DropReason.UserStage] = () => One(V4("10.1.0.11").Udp(1, 2).Build(),
            builder => builder.Stage(StagePosition.AfterFilter, new TestStage(batch => batch.Drop(0)))),
        [DropReason.Undecided] = () => One(V4("10.1.0.11").Udp(1, 2).Build(),
            builder => builder.Stage(StagePosition.BeforeTransmit, new TestStage(batch => batch.Verdicts[0] = Verdict.Forward))),
        [DropReason.Stopped] = StopWithAHeldPacket,
        [DropReason.ConsumedArp] = () => One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
            .ArpReply("198.51.100.2", TestPlane.WanMac.ToString(), "198.51.100.1").Build()),
        [DropReason.ConsumedNeighbourDiscovery] = () => One(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
            .Ipv6("2001:db8:1::2", "2001:db8:1::1", 255).NeighbourSolicitation(new NeighbourSolicitationFields
            {
                Target = IpAddress.Parse("2001:db8:1::1"),
                SourceLinkLayerAddress = TestPlane.ClientMac,
            }).Build()),
        [DropReason.ConsumedIcmp] = () => One(V4("198.51.100.1").EchoReply(1, 1).Build()),
        [DropReason.ConsumedTunnelError] = SendTunnelError,
        [DropReason.ConsumedDns] = () => One(NameNet.Frame(PlainDns.Query("web.mesh.example", 1)), builder => builder.Names(NameNet.Spec)),
        [DropReason.ConsumedSegmented] = () => SuperFrame(1000),
        [DropReason.ConsumedJoined] = JoinSegments,
    };

    public static TheoryData<DropReason> Reasons => [.. Enum.GetValues<DropReason>()];

    [Theory]
    [MemberData(nameof(Reasons))]
    public async Task EveryReason_IsMetByAPacket(DropReason reason)
    {
        if (reason == DropReason.None)
        {
            Accounting forwarded = await One(V4("10.1.0.11").Udp(1, 2).Build());
            Assert.Equal((0L, 1L), (forwarded.Dropped, forwarded.Transmitted));
            return;
        }

        Assert.True(s_cases.TryGetValue(reason, out Func<Task<Accounting>>? run), $"{reason} has no case: add the packet that meets it, or remove the value");
        Accounting seen = await run();
        Assert.True(seen.DroppedFor(reason) > 0 && seen.IsBalanced, $"{reason} was not met: {seen}");
    }

    private static PacketBuilder V4(string destination) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", destination);

    private static PacketBuilder V6(string destination) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", destination);

    private static byte[] Damaged(byte[] frame, int at, byte value)
    {
        Assert.NotEqual(value, frame[at]);
        frame[at] = value;
        return frame;
    }

    private static DataplaneBuilder Service(DataplaneBuilder builder, params int[] hosts) =>
        ServiceNet.V4.Add(builder, "web", 80, tcp: false, BalancePolicy.RoundRobin, hosts);

    private static Task<Accounting> Tunnelled(PacketBuilder packet) => One(packet.Build(), TunnelNet.TakeOut);

    private static async Task<Accounting> SendTunnelError()
    {
        var net = new TunnelNet(4, 4, ForwardMode.Ipip);
        await using TestPlane plane = net.Create();
        byte[] left = plane.SendForOne("wan", net.Net.FromClient().Tcp(1, 80).Build(), "lan");
        plane.Send("lan", OuterErrorTests.About(left, 3, 1, 0));
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> SendToMappedPort()
    {
        var net = new MappedNet(4);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule());
        plane.Send("wan", net.FromRemote(net.Remote(2)).Udp(53, net.Open(plane, 11, 4000, net.Remote(1))).Build());
        return plane.Engine.ReadAccounting();
    }

    private static Task<Accounting> One(byte[] frame, Action<DataplaneBuilder>? configure = null) => Many([frame], configure);

    private static async Task<Accounting> Endpoint(string port, PacketBuilder packet)
    {
        await using TestPlane plane = NetworkPlane.Create();
        plane.Send(port, packet.Build());
        return plane.Engine.ReadAccounting();
    }

    /// <summary>A network that answers DHCP, in which b has an IPv6 address only.</summary>
    private static async Task<Accounting> Dhcp(string port, PacketBuilder packet)
    {
        await using TestPlane plane = NetworkPlane.Create(blue => blue with
        {
            Dhcp = new(),
            Endpoints = [blue.Endpoints[0], blue.Endpoints[1] with { Addresses = [NetworkPlane.AddressOf("b", 6)] }],
        });
        plane.Send(port, packet.Build());
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> Overlay(string port, byte[] frame)
    {
        await using TestPlane plane = OverlayPlane.Create(4);
        plane.Send(port, frame);
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> SendInACircle()
    {
        await using TestPlane plane = OverlayPlane.CreateCircle();
        plane.Send("a", OverlayPlane.Leaving("a", "s", 4).Udp(1, 2).Build());
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> SendBeyondARate()
    {
        await using TestPlane plane = NetworkPlane.Create(blue => blue with
        {
            Endpoints = [blue.Endpoints[0] with { Rate = new Dataplane.Switching.RateSpec { Out = 1_000_000, OutBurst = 1600 } }, blue.Endpoints[1]],
        });
        plane.Send("a", NetworkPlane.Direct("a", "b", 4).Udp(1, 2).PayloadOf(1400).Build());
        plane.SendForDrop("a", NetworkPlane.Direct("a", "b", 4).Udp(1, 2).PayloadOf(1400).Build(), DropReason.RateLimited);
        return plane.Engine.ReadAccounting();
    }

    /// <summary>Frames by one port of a bridge that floods one broadcast a second.</summary>
    private static async Task<Accounting> Bridge(params byte[][] frames)
    {
        await using TestPlane plane = Frames.Create(spec => spec with { Broadcast = 1 });
        Array.ForEach(frames, frame => plane.Send("a", frame));
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> MoveAnAddress()
    {
        await using TestPlane plane = Frames.Create(spec => spec with { Moves = 0 });
        plane.Send("a", Frames.Of(Frames.Everybody, Frames.Host(1)));
        plane.Send("b", Frames.Of(Frames.Everybody, Frames.Host(1)));
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> Many(byte[][] frames, Action<DataplaneBuilder>? configure = null, int lanMtu = 1500, int seconds = 0)
    {
        await using TestPlane plane = TestPlane.Create(configure, lanMtu: lanMtu);
        foreach (byte[] frame in frames)
        {
            Assert.True(plane["wan"].TrySend(frame));
        }

        plane.Run();
        plane.Wait(TimeSpan.FromSeconds(seconds));
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> SuperFrame(int segmentBytes)
    {
        await using var plane = new OffloadPlane(FrameOffloads.None);
        plane.Send(Unfinished.Of(V4("10.1.0.11").Tcp(1, 2, TcpFlags.Ack).PayloadOf(3000).Build(), 1000) with { SegmentBytes = segmentBytes });
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> JoinSegments()
    {
        await using var plane = new SuperFramePlane(4);
        plane.Send(plane.Wan, [.. Enumerable.Range(0, 2).Select(k => new Unfinished(OverlayPlane.From7(4, OverlayPlane.Coming("r", "a", 6).Tcp(1, 2, TcpFlags.Ack, (uint)k).PayloadOf(1).Build())))]);
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> ResetAFlow()
    {
        await using TestPlane plane = ServiceNet.V4.Create(hosts: [11]);
        plane.Send("wan", ServiceNet.V4.FromClient().Tcp(1, 80).Build());
        await plane.Engine.UpdateAsync(spec => spec with { Services = [spec.Services[0] with { OnRemove = RemovePolicy.Reset, Backends = [] }] });
        plane.Send("wan", ServiceNet.V4.FromClient().Tcp(1, 80, TcpFlags.Ack).Build());
        return plane.Engine.ReadAccounting();
    }

    /// <summary>Flows of which both ends have been heard, as many as there is room for, and one more.</summary>
    private static async Task<Accounting> FillTheFlowTable()
    {
        var net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan").Workers(workers => workers with { FlowEntries = 1024 }));
        for (ushort port = 2000; port < 2513; port++)
        {
            if (plane.Send("lan", net.FromInside(11).Udp(port, 53).Build()).Count == 1)
            {
                plane.SendForOne("wan", net.FromOutside().Udp(53, port).Build(), "lan");
                plane.SendForOne("lan", net.FromInside(11).Udp(port, 53).Build(), "wan");
            }
        }

        return plane.Engine.ReadAccounting();
    }

    /// <summary>Every port the client could be given is one it already uses with this backend.</summary>
    private static async Task<Accounting> ExhaustPorts()
    {
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            ServiceNet.V4.Add(builder, "one", 80, tcp: false, BalancePolicy.RoundRobin, 11);
            ServiceNet.V4.Add(builder, "two", 81, tcp: false, BalancePolicy.RoundRobin, 11);
            builder.Workers(workers => workers with { FlowEntries = 262_144 });
        });
        for (int port = 1024; port <= 65535; port++)
        {
            Assert.True(plane["wan"].TrySend(ServiceNet.V4.FromClient().Udp((ushort)port, 80).Build()));
            if (port % 512 == 511)
            {
                plane.Run();
            }
        }

        plane.SendForDrop("wan", ServiceNet.V4.FromClient().Udp(5000, 81).Build(), DropReason.NoFreePort);
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> FillTransmitRing()
    {
        await using TestPlane plane = TestPlane.Create();
        byte[] frame = V4("10.1.0.11").Udp(1, 2).Build();
        for (int i = 0; i < 1025; i++)
        {
            Assert.True(plane["wan"].TrySend(frame));
            plane.Engine.RunOnce();
        }

        Assert.Equal(1024, plane.Run().Count);
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> FillWorkerRing()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Workers(workers => workers with { Count = 2 }));
        byte[] frame = V4("10.1.0.11").Udp(1, 2).Build();
        Worker first = plane.Engine.Workers[0];
        for (int i = 0; i < WorkerLinks.RingSlots + 1; i++)
        {
            Assert.True(plane["wan"].TrySend(frame));
            first.RunOnce(first.NowNs);
        }

        Assert.Equal((WorkerLinks.RingSlots, 1L), (plane.Engine.ReadAccounting().Held, plane.Engine.ReadAccounting().Dropped));
        Assert.Equal(WorkerLinks.RingSlots, plane.Run().Count);
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> TakeLinkDown()
    {
        await using TestPlane plane = TestPlane.Create();
        plane["lan"].SetLink(LinkState.Down);
        plane.SendForDrop("wan", V4("10.1.0.11").Udp(1, 2).Build(), DropReason.LinkDown);
        return plane.Engine.ReadAccounting();
    }

    private static async Task<Accounting> SendBeyondASlot()
    {
        var wide = new MemoryPort(new MemoryPortOptions { Mac = TestPlane.WanMac });
        var narrow = new MemoryPort(new MemoryPortOptions { SlotBytes = 512, Mtu = 300 });
        await using DataplaneEngine engine = new DataplaneBuilder().Port("wide", PortSource.Memory(wide)).Port("narrow", PortSource.Memory(narrow))
            .Interface("wide", "198.51.100.1/24")
            .Stage(StagePosition.AfterParse, new TestStage(batch => batch.Transmit(0, new PortId(1)))).Build();
        engine.StartManual();
        Assert.True(wide.TrySend(V4("10.1.0.11").Udp(1, 2).PayloadOf(1000).Build()));
        engine.RunOnce();
        return engine.ReadAccounting();
    }

    private static async Task<Accounting> StopWithAHeldPacket()
    {
        TestPlane plane = TestPlane.Create();
        plane.Send("wan", V4("10.1.0.99").Udp(1, 2).Build());
        Assert.Equal(1, plane.Engine.ReadAccounting().Held);
        await plane.DisposeAsync();
        return plane.Engine.ReadAccounting();
    }
}
