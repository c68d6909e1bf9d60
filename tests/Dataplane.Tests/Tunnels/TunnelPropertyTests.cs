using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tunnels;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Tunnels;

/// <summary>Packets and histories by chance: what one engine encloses another takes out, damaged ones do no harm, flows keep their backends.</summary>
public sealed class TunnelPropertyTests
{
    private const int RandomFrames = 60_000;

    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task Packet_ThroughTwoEngines_IsWhatItWas(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using TestPlane near = TestPlane.Create(builder =>
        {
            builder.Encapsulation(TunnelNet.Sources);
            net.AddTo(builder, "t", true, 11);
            net.AddTo(builder, "u", false, 11);
        });
        await using TestPlane far = TestPlane.Create(builder => builder
            .Encapsulation(new EncapsulationSpec { Decapsulate = [new DecapsulationSpec { Address = net.Backend(11) }] })
            .Route(inner == 4 ? "203.0.113.80/32" : "2001:db8:80::80/128", inner == 4 ? "10.1.0.12" : "2001:db8:2::12"), withNeighbours: false);
        await far.Engine.UpdateAsync(spec => spec with
        {
            Neighbours = [.. new[] { "10.1.0.12", "2001:db8:2::12" }.Select(address => new Dataplane.Routing.NeighbourSpec { Port = "lan", Address = IpAddress.Parse(address), Mac = TestPlane.ServerMac })],
        });
        Prop.ForAll(Packets(inner), packet =>
        {
            byte[] sent = Build(net, packet), enclosed = near.SendForOne("wan", sent, "lan");
            ReferencePacket whole = ReferenceDecoder.Decode(enclosed);
            Assert.True(whole.Problem is null && whole.HeaderChecksumRight != false && whole.TransportChecksumRight != false, Convert.ToHexString(enclosed));
            TestPlane.WanMac.Write(enclosed);
            byte[] left = far.SendForOne("wan", enclosed, "lan");
            ServiceNet.Same(TunnelNet.TakenDown(TunnelNet.TakenDown(sent[14..])), left[14..]);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Frames_DamagedAnywhere_AreAccountedForAndNeverThrow(int seed)
    {
        var nets = TunnelNet.All.Select(row => new TunnelNet((int)row[0], (int)row[1], (ForwardMode)row[2])).ToArray();
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            builder.Encapsulation(TunnelNet.Sources with
            {
                Decapsulate = [new DecapsulationSpec { Address = IpAddress.Parse("203.0.113.5") }, new DecapsulationSpec { Address = IpAddress.Parse("2001:db8:5::5") }],
            }).Workers(workers => workers with { FlowEntries = 1024, IcmpErrorsPerSecond = 1_000_000 });
            nets[0].AddTo(builder, "a", true, 11, 12);
            nets[5].AddTo(builder, "b", true, 11, 12);
            nets[2].AddTo(builder, "c", false, 11, 12);
            nets[7].AddTo(builder, "d", false, 11, 12);
        }, lanMtu: 1300);
        (byte[], bool)[] corpus = [.. Corpus(plane, nets).Select(frame => (frame, false))];
        var mutator = new PacketMutator((ulong)seed, corpus);
        plane.Capture();
        byte[] buffer = new byte[4096];
        for (int sent = 0; sent < RandomFrames; sent++)
        {
            bool isWan = mutator.Next(4) != 0;
            int length = mutator.NextWild(buffer, isWan ? TestPlane.WanMac : TestPlane.LanMac);
            plane[isWan ? "wan" : "lan"].TrySend(buffer.AsSpan(0, length));
            if (sent % 64 == 63)
            {
                plane.Clock.Advance(TimeSpan.FromMilliseconds(10));
                foreach ((string _, byte[] frame) in plane.Run())
                {
                    Assert.False(ReferenceDecoder.Decode(frame).IsTruncated, $"{Convert.ToHexString(frame)} (seed {seed}, packet {sent})");
                }
            }
        }

        Accounting seen = plane.Engine.ReadAccounting();
        Assert.True(seen.Transmitted > 1000 && seen.DroppedFor(DropReason.TunnelMalformed) > 0 && seen.DroppedFor(DropReason.ConsumedTunnelError) > 0
            && plane.Engine.ReadDecapsulations().All(status => status.Packets > 100), seen.ToString());
    }

    /// <summary>Backends that come and go, modes that change: a flow whose backend is there stays with it, and leaves as the service says.</summary>
    [Fact]
    public void Histories_Random_KeepFlowsWithTheirBackends() => Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
    {
        var random = new Random(seed);
        var net = new TunnelNet(random.Next(2) == 0 ? 4 : 6, random.Next(2) == 0 ? 4 : 6, ForwardMode.Ipip);
        TestPlane plane = net.Create(hosts: [11, 12, 13]);
        try
        {
            var homes = new Dictionary<ushort, string>();
            HashSet<int> hosts = [11, 12, 13];
            ForwardMode mode = ForwardMode.Ipip;
            for (int step = 0; step < 60; step++)
            {
                if (random.Next(10) == 0)
                {
                    mode = random.Next(2) == 0 ? ForwardMode.Ipip : ForwardMode.Gue;
                    hosts = [.. new[] { 11, 12, 13 }.Where(_ => random.Next(3) != 0).DefaultIfEmpty(11)];

                    // One that goes and comes back begins anew.
                    homes = homes.Where(flow => hosts.Any(host => net.Backend(host).ToString() == flow.Value)).ToDictionary();
                    plane.Engine.UpdateAsync(spec => spec with
                    {
                        Services = [spec.Services[0] with { Forward = mode, Backends = [.. hosts.Select(host => new BackendSpec { Address = net.Backend(host), Port = 80 })] }],
                    }).GetAwaiter().GetResult();
                }

                ushort port = (ushort)random.Next(2000, 2012);
                byte[] frame = net.Net.FromClient().Tcp(port, 80, TcpFlags.Ack).Build(), left = plane.SendForOne("wan", frame, "lan");
                ReferencePacket packet = ReferenceDecoder.Decode(left);
                Assert.Equal(mode == ForwardMode.Gue ? 17 : net.Inner == 4 ? 4 : 41, packet.Protocol);
                ServiceNet.Same(TunnelNet.TakenDown(frame[14..]), (net with { Mode = mode }).Inside(left));
                Assert.Contains(packet.Destination, hosts.Select(host => net.Backend(host).ToString()));
                Assert.True(!homes.TryGetValue(port, out string? home) || home == packet.Destination,
                    $"flow {port} went from {home} to {packet.Destination}");
                homes[port] = packet.Destination;
            }
        }
        finally
        {
            plane.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(25));

    private static IEnumerable<byte[]> Corpus(TestPlane plane, TunnelNet[] nets)
    {
        foreach (TunnelNet net in nets)
        {
            byte[] tcp = net.Net.FromClient().Tcp(1000, 80, TcpFlags.Ack).PayloadOf(200).Build();
            yield return tcp;
            yield return DecapsulationTests.Enclosed(net.Outer, net.Mode, tcp[14..]);
            yield return DecapsulationTests.Enclosed(net.Outer, net.Mode, net.Net.FromClient().Udp(1000, 80).PayloadOf(100).BuildFragments(64)[1][14..]);
            byte[] left = Assert.Single(plane.Send("wan", tcp)).Frame;
            bool isV4 = left[12] == 8;
            yield return isV4 ? OuterErrorTests.About(left, 3, 4, 1400) : OuterErrorTests.About(left, 2, 0, 1400);
        }
    }

    private static Arbitrary<Packet> Packets(int family) =>
        (from tcp in Gen.Elements(true, false)
         from checksum in Gen.Elements(true, family == 6)
         from port in Gen.Choose(1, 65535)
         from payload in Gen.Frequency((3, Gen.Choose(0, 64)), (2, Gen.Choose(0, 1350)))
         from tos in Gen.Choose(0, 255)
         from content in Gen.Choose(0, int.MaxValue - 1)
         select new Packet(tcp, checksum, (ushort)port, payload, (byte)tos, content)).ToArbitrary();

    private static byte[] Build(TunnelNet net, Packet packet)
    {
        byte[] payload = new byte[packet.Payload];
        new Random(packet.Content).NextBytes(payload);
        PacketBuilder builder = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac);
        builder = net.Inner == 4
            ? builder.Ipv4(net.Net.Client.ToString(), net.Net.Service.ToString(), tos: packet.Tos, identification: (ushort)packet.Content)
            : builder.Ipv6(net.Net.Client.ToString(), net.Net.Service.ToString(), trafficClass: packet.Tos, flowLabel: (uint)packet.Content & 0xFFFFF);
        return (packet.Tcp ? builder.Tcp(packet.Port, 80, TcpFlags.Ack, (uint)packet.Content) : builder.Udp(packet.Port, 80, packet.Checksum)).Payload(payload).Build();
    }

    private sealed record Packet(bool Tcp, bool Checksum, ushort Port, int Payload, byte Tos, int Content);
}
