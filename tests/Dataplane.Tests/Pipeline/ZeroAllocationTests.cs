using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Reassembly;
using Dataplane.Rewriting;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Names;
using Dataplane.Tests.Reassembly;
using Dataplane.Tests.Support;
using Dataplane.Tests.Tracking;
using Dataplane.Tracking;

namespace Dataplane.Tests.Pipeline;

/// <summary>Nothing on a packet's way allocates: every stage and every situation, 10,000 batches each, and exactly 0 bytes.</summary>
[Collection(AllocationCollection.Name)]
public sealed class ZeroAllocationTests
{
    private const int Batches = 10_000;

    /// <summary>Rounds before: code that runs for the first time may have the runtime allocate for it.</summary>
    private const int WarmUp = 10_000;

    private static readonly (string Name, Action<PipelineRig> Run)[] s_stages =
    [
        ("parse", rig => PacketParser.Process(rig.Batch, rig.Context.Hash)),
        ("fragment", rig => FragmentStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("established", rig => EstablishedStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("ingress", rig => IngressStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("state", rig => ConnectionStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("filter", rig => FilterStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("names", rig => NameStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("flow", rig => FlowStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("balance", rig => BalanceStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("route", rig => RouteStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("nat", rig => NatStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("track", rig => ConnectionFlows.Process<TracingOff>(rig.Context, rig.Batch)),
        ("neighbour", rig => NeighbourStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("rewrite", rig => RewriteStage.Process<TracingOff>(rig.Context, rig.Batch)),
        ("transmit", rig =>
        {
            rig.Transmit.Process(rig.Batch, rig.Ports.ById);
            rig.Transmit.Flush(rig.Ports.ById);
        }),
        ("count", rig => rig.Context.Counters.CountBatch(rig.Batch, rig.Batch.Count, 0, 0)),
    ];

    public static TheoryData<string> Stages => [.. s_stages.Select(stage => stage.Name)];

    /// <summary>Traffic of every kind at once: both families, to the service, past it, denied, expired, too big, for us.</summary>
    private static byte[][] MixedTraffic(int round)
    {
        ServiceNet v4 = ServiceNet.V4, v6 = ServiceNet.V6;
        PacketBuilder To(string destination, byte ttl = 64) => destination.Contains(':', StringComparison.Ordinal)
            ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", destination, ttl)
            : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", destination, ttl);
        PacketBuilder Translated() => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.3", "10.1.0.11");
        ushort port = (ushort)(2000 + round);
        return
        [
            v4.FromClient().Tcp(port, 80).Build(), v6.FromClient().Tcp(port, 80).Build(), v4.FromClient().Tcp(port, 80, TcpFlags.Ack).PayloadOf(100).Build(),
            v6.FromClient().Tcp(port, 80, TcpFlags.Fin).Build(), v6.FromClient().Tcp(port, 80).Build(),
            To("10.1.0.11").Udp(port, 7).Build(), To("2001:db8:2::11").Udp(port, 7).Build(), To("10.1.0.11", 1).Udp(port, 7).Build(),
            To("2001:db8:2::11", 1).Udp(port, 7).Build(), To("10.1.0.11").Udp(port, 7).PayloadOf(1350).Build(), To("2001:db8:2::11").Udp(port, 7)
                .PayloadOf(1350).Build(),
            To("10.1.0.11").Tcp(port, 23).Build(), To("198.51.100.1").EchoRequest(1, 1).Build(), To("2001:db8:1::1").EchoRequest(1, 1).Build(),
            To("192.0.2.1").Udp(port, 7).Build(), v4.FromClient().Udp(port, 99).Build(),
            PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.1").Build(),
            To("10.1.0.11").Udp(port, 7).PayloadOf(600).BuildFragments(256)[1], new byte[10],
            Translated().Udp(port, 7).Build(), Translated().Tcp(port, 7).Build(), Translated().EchoRequest(port, 1).Build(), Translated().Carrying(47).Build(),
            NameNet.Frame(PlainDns.Query("many.mesh.example", 1, 1232)), NameNet.Frame(PlainDns.Query("no.mesh.example", 28), "2001:db8:1::1"),
            NameNet.Frame(PlainDns.Query("www.example.org", 1)), NameNet.Frame(new byte[5]),
        ];
    }

    private static PipelineRig CreateMixed() => new(builder =>
    {
        ServiceNet.V4.Add(builder, "v4", 80, tcp: true, BalancePolicy.Maglev, 11, 12, 13);
        ServiceNet.V6.Add(builder, "v6", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13);
        builder.Filter(filter => filter.Deny(to: "10.0.0.0/8", protocol: 6, toPort: "23").Allow(protocol: 17))
            .Nat(new NatSpec { Inside = "wan", Outside = "lan", From = IpPrefix.Parse("198.51.100.3/32") })
            .Workers(workers => workers with { FlowEntries = 1024, IcmpErrorsPerSecond = 1_000_000 })
            .Names(NameNet.Spec with { QueriesPerSecond = 1_000_000 });
    }, lanMtu: 1300);

    [Theory]
    [MemberData(nameof(Stages))]
    public void Stage_TenThousandBatches_AllocatesNothing(string name)
    {
        using PipelineRig rig = CreateMixed();
        byte[][][] traffic = [.. Enumerable.Range(0, 50).Select(MixedTraffic)];
        var meter = new AllocationMeter();
        for (int round = -WarmUp; round < Batches; round++)
        {
            rig.NowNs += 20_000_000;
            rig.Load(0, traffic[(round + WarmUp) % traffic.Length]);
            foreach ((string stage, Action<PipelineRig> run) in s_stages)
            {
                meter.Open();
                run(rig);
                meter.Close(counts: stage == name && round >= 0);
            }

            rig.Context.Originated.Clear(rig.NowNs);
            rig.Drain();
        }

        meter.AssertNone();
        Assert.NotEqual(0, rig.Context.Flows.Count);
    }

    [Fact]
    public void Worker_MixedTraffic_AllocatesNothing()
    {
        using PipelineRig rig = CreateMixed();
        byte[][][] traffic = [.. Enumerable.Range(0, 50).Select(MixedTraffic)];
        AssertNothing(rig, round => rig.Send("wan", traffic[round % traffic.Length]), stepNs: 20_000_000);
        Accounting seen = rig.Context.Counters.Read();
        Assert.True(seen.IsBalanced && seen.Originated > Batches && seen.Transmitted > Batches && seen.DroppedFor(DropReason.FilterRule) >= Batches,
            seen.ToString());
    }

    /// <summary>Connections that begin, go on and end, of all kinds, in the window and outside it, related errors, fragments in both orders, some without a first.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void Worker_ConnectionsAndFragments_AllocatesNothing(int family)
    {
        TrackedNet net = TrackedNet.Of(family);
        using var rig = new PipelineRig(builder => TrackedNet.StatefulRules(builder).Workers(workers => workers with { FlowEntries = 1024 }));
        byte[] Out(uint round, TcpFlags flags, uint sequence, uint acknowledgment, int bytes = 0) =>
            net.FromInside().Tcp((ushort)(2000 + round), 80, flags, sequence, acknowledgment, 1000).PayloadOf(bytes).Build();
        byte[] In(uint round, TcpFlags flags, uint sequence, uint acknowledgment) =>
            net.FromOutside().Tcp(80, (ushort)(2000 + round), flags, sequence, acknowledgment, 1000).Build();
        const TcpFlags Syn = TcpFlags.Syn, Ack = TcpFlags.Ack, Fin = TcpFlags.Fin;
        (byte[][] Lan, byte[][] Wan)[] rounds = [.. Enumerable.Range(0, 600).Select(number =>
        {
            uint round = (uint)number / 3;
            IReadOnlyList<byte[]> whole = Pieces.Of(net.FromInside().Udp((ushort)(3000 + round), 53).PayloadOf(600), 256, round);
            IReadOnlyList<byte[]> alone = Pieces.Of(net.FromOutside().Udp(53, (ushort)(3000 + round)).PayloadOf(600), 256, round);
            byte[] unreachable = family == 4
                ? net.FromOutside().Icmpv4(Icmpv4Fields.Unreachable(3)).Payload(net.AtOutside().Udp((ushort)(3000 + round), 53).PayloadOf(20).Build().AsSpan(14)).Build()
                : net.FromOutside().Icmpv6(Icmpv6Fields.Unreachable(4)).Payload(net.AtOutside().Udp((ushort)(3000 + round), 53).PayloadOf(20).Build().AsSpan(14)).Build();
            return (number % 3) switch
            {
                0 => (new[] { Out(round, Syn, 100, 0), whole[2], whole[1], whole[0], net.FromInside().EchoRequest((ushort)round, 1).Build() }, new[] { alone[1] }),
                1 => ([], [In(round, Syn | Ack, 500, 101), unreachable, net.FromOutside().EchoReply((ushort)round, 1).Build(), In(round, Ack, 9, 9)]),
                _ => ([Out(round, Ack, 101, 501, 100), Out(round, Ack, 201, 501, 100), Out(round, Ack | Fin, 301, 501), Out(round, Ack, 9000, 1)], [In(round, TcpFlags.Rst, 501, 0)]),
            };
        })];
        AssertNothing(rig, round =>
        {
            rig.Send("lan", rounds[round % rounds.Length].Lan);
            rig.Send("wan", rounds[round % rounds.Length].Wan);
        }, stepNs: 120_000_000);
        Accounting seen = rig.Context.Counters.Read();
        Assert.True(seen.IsBalanced && seen.Transmitted > Batches && seen.DroppedFor(DropReason.FragmentTimeout) > 0 && seen.DroppedFor(DropReason.FilterRule) > 0, seen.ToString());
        Assert.NotEqual(0, rig.Context.Tables.BackendCounters[rig.Context.Tables.Tracked!.Slot].Counts.Flows);
    }

    /// <summary>New flows all the time, old ones expiring and evicted.</summary>
    [Fact]
    public void Worker_NewFlowsAndExpiry_AllocatesNothing()
    {
        using PipelineRig rig = CreateMixed();
        byte[][][] traffic = [.. Enumerable.Range(0, 2000).Select(round => new[]
        {
            ServiceNet.V4.FromClient().Tcp((ushort)(2000 + round), 80).Build(), ServiceNet.V6.FromClient().Tcp((ushort)(2000 + round), 80).Build(),
        })];
        AssertNothing(rig, round => rig.Send("wan", round / 1500 % 2 == 0 ? traffic[round % traffic.Length] : []), stepNs: 300_000_000);
        Assert.NotEqual(0, rig.Context.Flows.Expired);
        Assert.NotEqual(0, rig.Context.Flows.Evicted);
    }

    /// <summary>Services that refuse by reset and by error, addresses that stand for a host, and a service for whose flows there is no room.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Worker_RejectsStaticsAndFullTables_AllocatesNothing(bool isFull)
    {
        ServiceNet v4 = ServiceNet.V4, v6 = ServiceNet.V6;
        using var rig = new PipelineRig(builder => v4.Add(builder, "web", 80, tcp: true, BalancePolicy.Maglev, 11)
            .Service("none4", v4.Service.ToString(), 81, service => service.NoBackend(NoBackendPolicy.Reject))
            .Service("none6", v6.Service.ToString(), 81, service => service.Udp().NoBackend(NoBackendPolicy.Reject))
            .Nat(new NatSpec { Inside = "lan", Outside = "wan", From = IpPrefix.Parse("10.1.0.12/32"), Pool = [IpAddress.Parse("198.51.100.12")], Static = true })
            .Workers(workers => workers with { FlowEntries = 1024, IcmpErrorsPerSecond = 1_000_000 }));
        for (ushort port = 1000; isFull && port < 1512; port++)
        {
            Step("wan", v4.FromClient().Tcp(port, 80).Build());
            Step("lan", v4.FromBackend(11).Tcp(8080, port, TcpFlags.Syn | TcpFlags.Ack).Build());
            Step("wan", v4.FromClient().Tcp(port, 80, TcpFlags.Ack).Build());
        }

        PacketBuilder Stands() => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "198.51.100.12");
        PacketBuilder Inside() => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.12", "198.51.100.2");
        (byte[][] Wan, byte[][] Lan)[] rounds = [.. Enumerable.Range(0, 60).Select(round => (ushort)(20_000 + round)).Select(port => (
            new[]
            {
                v4.FromClient().Tcp(port, 81).Build(), v4.FromClient().Tcp(port, 81, TcpFlags.Ack).PayloadOf(9).Build(), v6.FromClient().Udp(port, 81).Build(),
                Stands().Udp(port, 7).Build(), Stands().Tcp(port, 7).Build(), Stands().EchoRequest(port, 1).Build(),
                v4.FromClient().Tcp(port, 80).Build(), v4.FromClient().Tcp(port, 80, TcpFlags.Ack).Build(),
            },
            new[] { Inside().Udp(7, port).Build(), Inside().Tcp(8, port).Build(), v4.FromBackend(11).Tcp(8080, port, TcpFlags.Syn | TcpFlags.Ack).Build() }))];
        AssertNothing(rig, round =>
        {
            rig.Send("wan", rounds[round % rounds.Length].Wan);
            rig.Send("lan", rounds[round % rounds.Length].Lan);
        }, stepNs: 20_000_000);
        Accounting seen = rig.Context.Counters.Read();
        Assert.True(seen.IsBalanced && seen.DroppedFor(DropReason.NoBackend) >= 3 * Batches && seen.Originated >= 3 * Batches, seen.ToString());
        Assert.Equal(isFull, rig.Context.Stateless.Packets > 2 * Batches);
        Assert.Equal(isFull, seen.DroppedFor(DropReason.FlowTableFull) > Batches);

        void Step(string port, byte[] frame)
        {
            rig.Send(port, [frame]);
            rig.Worker.RunOnce(rig.NowNs);
            rig.Drain();
        }
    }

    /// <summary>A packet waits, the answer comes, it is released; then the neighbour is forgotten and it begins again. And some never answer.</summary>
    [Fact]
    public void Worker_HoldReleaseAndGiveUp_AllocatesNothing()
    {
        using var rig = new PipelineRig(builder => builder.Workers(workers => workers with { NeighbourEntries = 64 }), withNeighbours: false);
        byte[][][] rounds = [.. Enumerable.Range(0, 200).Select(host => new[]
        {
            PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", $"10.1.0.{2 + host}").Udp(1, 7).Build(),
            PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", $"2001:db8:2::{2 + host}").Udp(1, 7).Build(),
        })];
        byte[][][] answers = [.. Enumerable.Range(0, 200).Select(host => new[]
        {
            PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).ArpReply($"10.1.0.{2 + host}", TestPlane.LanMac.ToString(), "10.1.0.1").Build(),
            PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6($"2001:db8:2::{2 + host}", "2001:db8:2::1", 255)
                .NeighbourAdvertisement(new NeighbourAdvertisementFields
                {
                    Target = IpAddress.Parse($"2001:db8:2::{2 + host}"), IsSolicited = true, TargetLinkLayerAddress = TestPlane.ServerMac,
                }).Build(),
        })];
        AssertNothing(rig, round =>
        {
            rig.Send("wan", rounds[round / 2 % 200]);
            if (round % 2 == 1 && round % 3 != 0)
            {
                rig.Send("lan", answers[round / 2 % 200]);
            }
        }, stepNs: 150_000_000);
        Accounting seen = rig.Context.Counters.Read();
        Assert.True(seen.IsBalanced && seen.Transmitted > Batches && seen.DroppedFor(DropReason.ConsumedNeighbourDiscovery) > 0, seen.ToString());
        Assert.True(seen.DroppedFor(DropReason.NeighbourUnresolved) + seen.DroppedFor(DropReason.NeighbourTableFull) > 0, seen.ToString());
    }

    [Fact]
    public void Worker_IdleTicks_AllocatesNothing()
    {
        using PipelineRig rig = CreateMixed();
        rig.Send("wan", MixedTraffic(0));
        AssertNothing(rig, _ => { }, stepNs: 100_000_000);
    }

    /// <summary>1,000 reloads: what the worker does to take over new tables.</summary>
    [Fact]
    public void Worker_AdoptionOfNewTables_AllocatesNothing()
    {
        using PipelineRig rig = CreateMixed();
        byte[][][] traffic = [.. Enumerable.Range(0, 50).Select(MixedTraffic)];
        DataplaneSpec fewer = rig.Spec with
        {
            Services = [.. rig.Spec.Services.Select(service => service with { Backends = [.. service.Backends.Skip(1)], TableSize = 251 })],
            Neighbours = [.. rig.Spec.Neighbours.Skip(1)],
        };
        DataplaneSpec all = rig.Spec with { Services = [.. rig.Spec.Services.Select(service => service with { TableSize = 251 })] };
        var meter = new AllocationMeter();
        for (int round = -20; round < 1000; round++)
        {
            rig.Republish(round % 2 == 0 ? all : fewer);
            rig.Send("wan", traffic[(round + 50) % traffic.Length]);
            rig.NowNs += 50_000_000;
            Assert.False(rig.HasAdopted);
            meter.Open();
            rig.Worker.RunOnce(rig.NowNs);
            meter.Close(counts: round >= 0);
            Assert.True(rig.HasAdopted);
            rig.Drain();
        }

        meter.AssertNone();
        Assert.Equal(1021, rig.Context.Tables.Version);
    }

    /// <summary>The measuring itself sees the smallest object.</summary>
    [Fact]
    public void Control_OneObjectInTenThousandBatches_IsSeen()
    {
        object? kept = null;
        var meter = new AllocationMeter();
        for (int round = 0; round < Batches; round++)
        {
            meter.Open();
            if (round == Batches / 2)
            {
                kept = new object();
            }

            meter.Close();
        }

        Exception seen = Assert.ThrowsAny<Exception>(meter.AssertNone);
        Assert.Contains($"of {Batches} windows 1 allocated bytes: 24 in window {(Batches / 2) + 1}", seen.Message, StringComparison.Ordinal);
        Assert.NotNull(kept);
    }

    private static void AssertNothing(PipelineRig rig, Action<int> prepare, long stepNs)
    {
        var meter = new AllocationMeter();
        for (int round = -WarmUp; round < Batches; round++)
        {
            prepare(round + WarmUp);
            rig.NowNs += stepNs;
            meter.Open();
            rig.Worker.RunOnce(rig.NowNs);
            meter.Close(counts: round >= 0);
            rig.Drain();
        }

        meter.AssertNone();
    }
}
