using Dataplane.Balancing;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Rewriting;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Pipeline;

/// <summary>Several workers: each flow has one owner, whichever worker receives its packets and whichever sends them, and every packet is accounted for.</summary>
public sealed class WorkersTests
{
    public static TheoryData<int, int> WorkersAndFamilies => new() { { 2, 4 }, { 2, 6 }, { 3, 4 }, { 3, 6 }, { 16, 4 } };

    [Theory]
    [MemberData(nameof(WorkersAndFamilies))]
    public async Task Service_BothDirectionsOfManyFlows_EndAtOneOwner(int workers, int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = Create(workers, builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.Maglev, 11, 12, 13));
        const int Flows = 200;
        for (int i = 0; i < Flows; i++)
        {
            ushort port = (ushort)(2000 + (i * 7));
            int host = net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80).Build(), "lan"));
            byte[] back = plane.SendForOne("lan", net.FromBackend(host).Tcp(8080, port).Build(), "wan");
            ServiceNet.Same(net.AtClient().Tcp(80, port).Build(), back);
            ServiceNet.Same(net.AtBackend(host).Tcp(port, 8080).Build(), plane.SendForOne("wan", net.FromClient().Tcp(port, 80).Build(), "lan"));
        }

        WorkerContext[] contexts = [.. Enumerable.Range(0, workers).Select(worker => plane.Engine.Workers[worker].Context)];
        Assert.Equal(2 * Flows, contexts.Sum(context => context.Flows.Count));
        Assert.All(contexts, context => Assert.InRange(context.Flows.Count, 2, 2 * Flows * 3 / workers));
        Assert.All(contexts, AssertOwnsItsFlows);
        Assert.Equal(2 * Flows, plane.Engine.ReadFlows().Count);
        Assert.Equal(2 * Flows, plane.Engine.ReadFigures().FlowEntries);
        Assert.Equal((Flows, 3L * Flows), (plane.Engine.ReadServices()[0].Backends.Sum(backend => (int)backend.Flows),
            plane.Engine.ReadServices()[0].Backends.Sum(backend => backend.Packets)));
    }

    /// <summary>A client that reaches one backend through two services from one port: its port is translated, and the owner must stay the same.</summary>
    [Theory]
    [MemberData(nameof(WorkersAndFamilies))]
    public async Task Service_ClientPortTranslated_TheWayBackIsTheSameWorkers(int workers, int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = Create(workers, builder =>
        {
            net.Add(builder, "one", 80, tcp: false, BalancePolicy.RoundRobin, 11);
            net.Add(builder, "two", 81, tcp: false, BalancePolicy.RoundRobin, 11);
        });
        for (int i = 0; i < 50; i++)
        {
            ushort port = (ushort)(2000 + i);
            plane.SendForOne("wan", net.FromClient().Udp(port, 80).Build(), "lan");
            byte[] second = plane.SendForOne("wan", net.FromClient().Udp(port, 81).Build(), "lan");
            PacketHeaders headers = default;
            FlowKey key = default;
            Assert.Equal(DropReason.None, PacketParser.Parse(second, ref headers, ref key));
            Assert.NotEqual(port, key.SourcePort);
            byte[] back = plane.SendForOne("lan", net.FromBackend(11).Udp(8080, key.SourcePort).Build(), "wan");
            ServiceNet.Same(net.AtClient().Udp(81, port).Build(), back);
        }

        Assert.All(Enumerable.Range(0, workers), worker => AssertOwnsItsFlows(plane.Engine.Workers[worker].Context));
    }

    [Theory]
    [InlineData(2, 4)]
    [InlineData(3, 6)]
    public async Task Neighbour_AnsweredAtAnotherWorkersPort_ReleasesWhatTheOwnerHolds(int workers, int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11)
            .Workers(spec => spec with { Count = workers }), withNeighbours: false);
        var waiting = new List<byte[]>();
        for (ushort port = 2000; port < 2008; port++)
        {
            // One question from each worker that has a flow to the backend; the packets wait.
            waiting.AddRange(plane.Send("wan", net.FromClient().Tcp(port, 80).Build()).Select(sent => sent.Frame));
        }

        Assert.InRange(waiting.Count, 2, workers);
        Assert.Equal(8, plane.Engine.ReadAccounting().Held);
        NeighbourStatus asked = Assert.Single(plane.Engine.ReadNeighbours());
        Assert.Equal((NeighbourState.Incomplete, 8), (asked.State, asked.Waiting));
        byte[] answer = family == 4
            ? PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).ArpReply("10.1.0.11", TestPlane.LanMac.ToString(), "10.1.0.1").Build()
            : PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6("2001:db8:2::11", "2001:db8:2::1", 255)
                .NeighbourAdvertisement(new NeighbourAdvertisementFields
                {
                    Target = IpAddress.Parse("2001:db8:2::11"),
                    IsSolicited = true,
                    TargetLinkLayerAddress = TestPlane.ServerMac,
                }).Build();
        IReadOnlyList<(string Port, byte[] Frame)> released = plane.Send("lan", answer);
        Assert.Equal(8, released.Count);
        Assert.All(released, sent => Assert.Equal(("lan", 11), (sent.Port, net.HostOf(sent.Frame))));
        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.Equal((0L, 9L, 8L + waiting.Count, 1L), (accounting.Held, accounting.Received, accounting.Transmitted, accounting.Dropped));
    }

    /// <summary>A question that all workers overhear is answered once, and its sender is known to all.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Neighbour_Asks_IsAnsweredOnceAndKnownToAll(int family)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Workers(spec => spec with { Count = 3 }), withNeighbours: false);
        byte[] question = family == 4
            ? PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Broadcast).ArpRequest("10.1.0.11", "10.1.0.1").Build()
            : PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6("2001:db8:2::11", "2001:db8:2::1", 255)
                .NeighbourSolicitation(new NeighbourSolicitationFields
                {
                    Target = IpAddress.Parse("2001:db8:2::1"),
                    SourceLinkLayerAddress = TestPlane.ServerMac,
                }).Build();
        Assert.Equal("lan", Assert.Single(plane.Send("lan", question)).Port);
        for (int worker = 0; worker < 3; worker++)
        {
            Assert.Equal(1, plane.Engine.Workers[worker].Context.Neighbours.Count);
        }

        Assert.Equal(TestPlane.ServerMac, Assert.Single(plane.Engine.ReadNeighbours()).Mac);
    }

    [Fact]
    public async Task IcmpError_AboutAFlowOfAnotherWorker_IsTranslated()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(3, builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11));
        for (ushort port = 2000; port < 2020; port++)
        {
            byte[] atBackend = plane.SendForOne("wan", net.FromClient().Tcp(port, 80).PayloadOf(100).Build(), "lan");
            byte[] error = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", "198.51.100.2")
                .Icmpv4(Icmpv4Fields.Unreachable(3)).Payload(atBackend.AsSpan(14, 48)).Build();
            byte[] atClient = plane.SendForOne("lan", error, "wan");
            Assert.Equal(net.Service.ToString(), Reference.ReferenceDecoder.Decode(atClient).Source);
        }
    }

    [Fact]
    public async Task Explain_FlowOfAnotherWorker_IsFoundThere()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(3, builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13));
        for (ushort port = 2000; port < 2020; port++)
        {
            int host = net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80).Build(), "lan"));
            Explanation there = plane.Engine.Explain(net.FromClient().Tcp(port, 80, TcpFlags.Ack).Build(), "wan");
            Assert.Contains(there.Steps, step => step is { Stage: "flow", Outcome: "hit" });
            Assert.Equal(host, net.HostOf(there.Output.ToArray()));
            Explanation back = plane.Engine.Explain(net.FromBackend(host).Tcp(8080, port).Build(), "lan");
            Assert.Equal((Verdict.Transmit, "wan"), (back.Verdict, back.OutPort));
        }
    }

    [Fact]
    public async Task Stop_WithPacketsBetweenWorkers_DropsThemAsStopped()
    {
        TestPlane plane = Create(2, _ => { });
        Assert.True(plane["wan"].TrySend(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11").Udp(1, 2).Build()));
        Worker first = plane.Engine.Workers[0];
        first.RunOnce(first.NowNs);
        Assert.Equal(1, plane.Engine.ReadAccounting().Held);
        await plane.DisposeAsync();
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.Stopped));
    }

    [Fact]
    public async Task Rules_MatchedByAllWorkers_AreAddedUpAndGoOnOverReloads()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(3, builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11)
            .Filter(filter => filter.Allow(protocol: 6, name: "tcp")));
        for (ushort port = 2000; port < 2050; port++)
        {
            plane.SendForOne("wan", net.FromClient().Tcp(port, 80).Build(), "lan");
            if (port == 2020)
            {
                await plane.Engine.UpdateAsync(plane.Engine.Spec with { Routes = [new RouteSpec { To = IpPrefix.Parse("192.0.2.0/24"), Reject = RouteReject.Blackhole }] });
            }
        }

        Assert.Equal(("tcp", 50L), (plane.Engine.ReadRules()[0].Name, plane.Engine.ReadRules()[0].Packets));
        Assert.Equal(50, plane.Engine.ReadServices()[0].Backends[0].Flows);
    }

    [Fact]
    public async Task Ports_AreSpreadOverWorkersAndStayWhereTheyAre()
    {
        MemoryPort[] memory = [.. Enumerable.Range(0, 6).Select(_ => new MemoryPort())];
        var spec = new DataplaneSpec
        {
            Workers = new WorkerSpec { Count = 3, FlowEntries = 1024 },
            Ports = [.. Enumerable.Range(0, 4).Select(i => new PortSpec { Name = $"p{i}", Factory = memory[i], Worker = i == 3 ? 0 : null })],
        };
        await using var engine = new DataplaneEngine(spec);
        engine.StartManual();
        engine.RunOnce();
        Assert.Equal([1, 2, 0, 0], Owners(engine, 4));

        // The place of the port that goes is taken by the next, the others stay.
        await engine.UpdateAsync(spec with { Ports = [spec.Ports[0], spec.Ports[2], spec.Ports[3], new PortSpec { Name = "p4", Factory = memory[4] }] });
        Assert.Equal([1, -1, 0, 0, 2], Owners(engine, 5));
    }

    [Fact]
    public async Task Stage_ForWorker_IsAskedOncePerWorker()
    {
        var stage = new CountingStage();
        await using TestPlane plane = Create(3, builder => builder.Stage(StagePosition.AfterParse, stage));
        Assert.Equal([0, 1, 2], stage.Made.Select(made => made.Worker));
        plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11").Udp(1, 2).Build(), "lan");
        Assert.Equal([1, 0, 0], stage.Made.Select(made => made.Packets));
    }

    /// <summary>Super-frames go to the owner of their flow and on to the port's worker whole, or are cut there.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SuperFrame_OfAServiceFlow_IsHandedOverWhole(bool taken)
    {
        await using var plane = new OffloadPlane(taken ? OffloadPlane.All : Native.FrameOffloads.None, withService: true,
            configure: builder => builder.Workers(spec => spec with { Count = 3 }));
        for (ushort port = 2000; port < 2010; port++)
        {
            byte[] whole = ServiceNet.V4.FromClient().Tcp(port, 80, TcpFlags.Ack).PayloadOf(20_000).Build();
            IReadOnlyList<Unfinished> sent = plane.Send(Unfinished.Of(whole, 1000));
            Assert.Equal(taken ? 1 : 20, sent.Count);
            Assert.Equal(Reference.ReferenceDecoder.Decode(whole).Payload, sent.SelectMany(frame => Reference.ReferenceDecoder.Decode(frame.Bytes).Payload));
            Assert.All(sent, frame => Assert.Equal((taken, "10.1.0.11"), (frame.NeedsChecksum, Reference.ReferenceDecoder.Decode(frame.Bytes).Destination)));
        }
    }

    [Fact]
    public async Task ReadWorkers_AfterTraffic_SaysWhatEachHasDone()
    {
        await using TestPlane plane = Create(2, _ => { });
        plane.Engine.MeasureStages(true);
        byte[] frame = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11").Udp(1, 2).Build();
        for (int i = 0; i < 5; i++)
        {
            Assert.True(plane["wan"].TrySend(frame));
        }

        Assert.Equal(5, plane.Run().Count);
        plane.SendForOne("wan", frame, "lan");
        plane.Engine.MeasureStages(false);
        plane.SendForOne("wan", frame, "lan");
        IReadOnlyList<WorkerStatus> workers = plane.Engine.ReadWorkers();
        Assert.Equal(["wan", "lan"], workers.SelectMany(worker => worker.Ports));
        Assert.Equal([(7L, 0L), (0L, 7L)], workers.Select(worker => (worker.HandedOver, worker.TakenOver)));
        Assert.Equal([2, 0, 1, 0, 0, 0, 0, 0, 0], workers[0].BatchSizes);
        Assert.All(workers, worker => Assert.True(worker.Accounting.IsBalanced));
        Assert.Equal((7L, -7L), (workers[0].Accounting.Held, workers[1].Accounting.Held));
        Assert.Equal(6, workers[0].Stages[0].Packets);
        Assert.Equal(["receive", "parse", "user_stages", "established", "hand_over", "ingress", "filter", "flow", "balance", "route", "neighbour", "rewrite", "transmit"],
            workers[0].Stages.Select(stage => stage.Name));
        Assert.All(workers[0].Stages, stage => Assert.True(stage.Nanoseconds >= 0 && stage.CyclesPerPacket >= 0));
        Assert.True(workers[0].Stages.Sum(stage => stage.Nanoseconds) > 0);
    }

    [Fact]
    public async Task ReadWorkers_OnThreads_TimeIsBusyOrIdle()
    {
        var wan = new MemoryPort();
        var lan = new MemoryPort();
        await using DataplaneEngine engine = new DataplaneBuilder().Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan))
            .Stage(StagePosition.AfterParse, new TestStage(batch => batch.Transmit(0, new PortId(1)))).Workers(spec => spec with { Count = 2 }).Build();
        await engine.StartAsync();
        Assert.True(wan.TrySend(new byte[60]));
        Assert.True(lan.WaitToReceive(Support.TestPorts.Patience));
        Support.TestPorts.WaitFor(() => engine.ReadWorkers().All(worker => worker is { Packets: 1, BusyRounds: 1, BusyNs: > 0, IdleRounds: > 0, IdleNs: > 0, Sleeps: > 0 }),
            () => string.Join('\n', engine.ReadWorkers()));
        Assert.All(engine.ReadWorkers(), worker => Assert.Equal(worker.BusyNs, worker.NanosecondsPerPacket));
    }

    [Theory]
    [InlineData("cpu MHz\t\t: 2500.000", 2.5)]
    [InlineData("cpu MHz : none", 0)]
    [InlineData("model name : x", 0)]
    public void CycleRate_FromCpuInfo_IsTheFirstProcessors(string line, double expected) =>
        Assert.Equal(expected, CycleRate.FromCpuInfo(["processor : 0", line]));

    /// <summary>Hand-over, both kinds, and what neighbours say, costs no memory.</summary>
    [Fact]
    public async Task HandOver_TenThousandRounds_AllocatesNothing()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(2, builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.Maglev, 11, 12, 13));
        byte[][] frames =
        [
            .. Enumerable.Range(0, 32).Select(i => net.FromClient().Tcp((ushort)(2000 + i), 80, TcpFlags.Ack).Build()),
            PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.1").Build(),
        ];
        byte[] buffer = new byte[2048];
        var meter = new AllocationMeter();
        for (int round = -10_000; round < 10_000; round++)
        {
            foreach (byte[] frame in frames)
            {
                plane["wan"].TrySend(frame);
            }

            plane.Clock.Advance(TimeSpan.FromMilliseconds(20));
            meter.Open();
            plane.Engine.RunOnce();
            plane.Engine.RunOnce();
            meter.Close(counts: round >= 0);
            while (plane["lan"].TryReceive(buffer, out _) || plane["wan"].TryReceive(buffer, out _))
            {
            }
        }

        meter.AssertNone();
        WorkerLinks links = plane.Engine.Workers[0].Context.Links!;
        Assert.True(links.HandedOver == 32 * 20_000 && links.TakenOver == 0 && links.CopiesLost == 0, $"{links.HandedOver} {links.TakenOver} {links.CopiesLost}");
    }

    private static TestPlane Create(int workers, Action<DataplaneBuilder> configure) => TestPlane.Create(builder =>
    {
        configure(builder);
        builder.Workers(spec => spec with { Count = workers, FlowEntries = 16_384 });
    });

    private static int[] Owners(DataplaneEngine engine, int ports) => [.. Enumerable.Range(0, ports).Select(id =>
        Enumerable.Range(0, 3).FirstOrDefault(worker => engine.Workers[worker].Context.Tables.Ports[id] is not (null or RemotePort), -1))];

    private static void AssertOwnsItsFlows(WorkerContext context)
    {
        for (int index = 0; index < context.Flows.Capacity; index++)
        {
            ref FlowEntry entry = ref context.Flows[index];
            if (entry.State != FlowState.Free)
            {
                Assert.Equal(context.Share.Index, context.Tables.Owners!.OwnerOf(in entry.Key, 0, context.Hash, context.Share));
            }
        }
    }

    private sealed class CountingStage(int worker = -1) : IStage
    {
        public List<CountingStage> Made { get; } = [];

        public int Worker => worker;

        public int Packets { get; private set; }

        public string Name => "counting";

        public IStage ForWorker(int worker)
        {
            Made.Add(new CountingStage(worker));
            return Made[^1];
        }

        public void Process(PacketBatch batch) => Packets += batch.Count;
    }
}
