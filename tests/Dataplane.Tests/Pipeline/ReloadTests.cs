using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Pipeline;

/// <summary>A started engine, its workers on threads of their own: changed, stopped and broken under traffic.</summary>
public sealed class ReloadTests
{
    /// <summary>Frames on their way at most: fewer than a ring holds, so that none is ever full.</summary>
    private const int Window = 256;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Update_ThousandTimesUnderTraffic_LosesNoPacket(int workers)
    {
        var ports = new TestPorts();
        await using DataplaneEngine engine = await StartAsync(ports, workers);
        using var stop = new CancellationTokenSource();
        Task<long> traffic = Task.Factory.StartNew(() => SendUntil(ports, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        DataplaneSpec first = engine.Spec;
        for (int i = 1; i <= 1000; i++)
        {
            ChangeReceipt receipt = await engine.UpdateAsync(Variant(first, i));
            Assert.Equal(i + 1, receipt.Version);
        }

        await stop.CancelAsync();
        long sent = await traffic;
        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Received == sent && accounting.Transmitted == sent && accounting.Dropped == 0,
            $"sent {sent}, {accounting}");
        Assert.True(sent > 1000, $"only {sent} packets were sent meanwhile");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task UpdateRoutes_ThousandTimesUnderTraffic_LosesNoPacket(int workers)
    {
        var ports = new TestPorts();
        await using DataplaneEngine engine = await StartAsync(ports, workers);
        using var stop = new CancellationTokenSource();
        Task<long> traffic = Task.Factory.StartNew(() => SendUntil(ports, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

        // More specific routes to where the traffic goes, by the way it goes anyway: come, change and go, with ever other groups.
        for (int i = 1; i <= 500; i++)
        {
            NextHopSpec[] via = [new NextHopSpec { Port = "lan", Weight = 1 + (i % 200) }, new NextHopSpec { Port = "lan", Address = IpAddress.Parse("10.1.0.11") }];
            RouteSpec[] set = [.. Enumerable.Range(0, 8).Select(part => new RouteSpec { To = IpPrefix.Parse($"10.1.0.{8 * part}/29"), Via = i % 2 == 0 ? via : via[..1] })];
            Assert.Equal(8, (await engine.UpdateRoutesAsync(set)).Added);
            Assert.Equal(8, (await engine.UpdateRoutesAsync([], [.. set.Select(route => route.To)])).Withdrawn);
        }

        await stop.CancelAsync();
        long sent = await traffic;
        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Received == sent && accounting.Transmitted == sent && accounting.Dropped == 0,
            $"sent {sent}, {accounting}");
        Assert.True(sent > 1000, $"only {sent} packets were sent meanwhile");
    }

    [Fact]
    public async Task Update_ThatFails_KeepsTheLastGoodConfiguration()
    {
        var ports = new TestPorts();
        await using DataplaneEngine engine = await StartAsync(ports);
        DataplaneSpec good = engine.Spec;
        DataplaneSpec invalid = good with { Interfaces = [.. good.Interfaces, good.Interfaces[0] with { Port = "nowhere" }] };
        Assert.NotEmpty((await Assert.ThrowsAsync<ConfigurationException>(() => engine.UpdateAsync(invalid))).Errors);
        var opened = new MemoryPort();
        DataplaneSpec unopenable = good with
        {
            Ports = [.. good.Ports, new PortSpec { Name = "fine", Factory = opened }, new PortSpec { Name = "broken", Factory = new BrokenFactory() }],
        };
        await Assert.ThrowsAsync<IOException>(() => engine.UpdateAsync(unopenable));
        Assert.False(opened.IsOpen);
        await Assert.ThrowsAsync<InvalidOperationException>(() => engine.UpdateAsync(_ => throw new InvalidOperationException("the caller's own")));

        Assert.Same(good, engine.Spec);
        Assert.Equal((1, EngineState.Running, 2), (engine.Version, engine.State, engine.ReadPorts().Count));
        ports.Send("wan", ServiceNet.V4.FromClient().Tcp(1000, 80).Build());
        ServiceNet.V4.HostOf(ports.ReceiveOne("lan"));
        Assert.Equal(2, (await engine.UpdateAsync(good)).Version);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Update_PortsAddedAndRemoved_ForwardAndAreClosed(int workers)
    {
        var ports = new TestPorts();
        await using DataplaneEngine engine = await StartAsync(ports, workers);
        DataplaneSpec two = engine.Spec;
        for (int round = 0; round < 3; round++)
        {
            string name = $"dmz{round}";
            MemoryPort dmz = ports.Add(name);
            DataplaneSpec three = two with
            {
                Ports = [.. two.Ports, new PortSpec { Name = name, Factory = dmz }],
                Interfaces = [.. two.Interfaces, new InterfaceSpec { Port = name, Address = IpPrefix.Parse("10.2.0.1/24") }],
                Neighbours = [.. two.Neighbours, new NeighbourSpec { Port = name, Address = IpAddress.Parse("10.2.0.2"), Mac = TestPlane.ServerMac }],
            };
            Assert.Equal([name], (await engine.UpdateAsync(three)).PortsOpened);
            byte[] frame = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.2.0.2").Udp(1, 2).Build();
            ports.Send("wan", frame);
            Assert.Equal(TestPlane.ServerMac.ToString(), Reference.ReferenceDecoder.Decode(ports.ReceiveOne(name)).DestinationMac);

            // One that waits for a neighbour of the port goes with it.
            ports.Send("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.2.0.3").Udp(1, 2).Build());
            ports.ReceiveOne(name);
            Assert.Equal([name], (await engine.UpdateAsync(two)).PortsClosed);
            Assert.False(dmz.IsOpen);
            Accounting accounting = engine.ReadAccounting();
            Assert.True(accounting.IsBalanced && accounting.Held == 0 && accounting.DroppedFor(DropReason.Stopped) == round + 1, accounting.ToString());
        }

        Assert.Equal(2, engine.ReadPorts().Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Stop_WhileFlooded_EndsAndTheAccountingIsFinal(int workers)
    {
        var ports = new TestPorts();
        DataplaneEngine engine = await StartAsync(ports, workers);
        using var stop = new CancellationTokenSource();
        Task flood = Task.Factory.StartNew(() => Flood(ports["wan"], stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        TestPorts.WaitFor(() => engine.ReadAccounting().Received > 1000, () => "the engine receives nothing");
        await engine.StopAsync().WaitAsync(TestPorts.Patience);
        Assert.Equal(EngineState.Stopped, engine.State);
        Assert.True(engine.Completion.IsCompletedSuccessfully);
        Assert.False(ports["wan"].IsOpen || ports["lan"].IsOpen);
        Accounting final = engine.ReadAccounting();
        Assert.True(final.IsBalanced && final.Held == 0, final.ToString());
        await stop.CancelAsync();
        await flood;
        Assert.Equal(final.ToString(), engine.ReadAccounting().ToString());
        await engine.StopAsync();
        await engine.DisposeAsync();
        await engine.DisposeAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => engine.UpdateAsync(engine.Spec));
        await Assert.ThrowsAsync<InvalidOperationException>(() => engine.StartAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Stop_WhileAsleep_EndsAtOnce(int workers)
    {
        var ports = new TestPorts();
        DataplaneEngine engine = await StartAsync(ports, workers);
        ports.Send("wan", ServiceNet.V4.FromClient().Tcp(1000, 80).Build());
        ports.ReceiveOne("lan");
        await engine.StopAsync().WaitAsync(TestPorts.Patience);
        Assert.Equal(EngineState.Stopped, engine.State);
    }

    [Fact]
    public async Task Stop_BeforeStart_IsAllowedAndFinal()
    {
        DataplaneEngine engine = new DataplaneBuilder().Port("wan", PortSource.Memory(new MemoryPort())).Interface("wan", "198.51.100.1/24").Build();
        await engine.StopAsync();
        await engine.DisposeAsync();
        Assert.Equal(EngineState.Stopped, engine.State);
        await Assert.ThrowsAsync<InvalidOperationException>(() => engine.StartAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Stage_ThatThrows_FaultsCompletionAndLeavesNothingRunning(int workers)
    {
        var ports = new TestPorts();
        var error = new InvalidOperationException("the stage's own");
        DataplaneEngine engine = await StartAsync(ports, workers, builder => builder.Stage(StagePosition.AfterFilter, new TestStage(_ => throw error)));
        ports.Send("wan", ServiceNet.V4.FromClient().Tcp(1000, 80).Build());
        Assert.Same(error, await Assert.ThrowsAsync<InvalidOperationException>(() => engine.Completion.WaitAsync(TestPorts.Patience)));
        Assert.Equal(EngineState.Failed, engine.State);
        await Assert.ThrowsAsync<InvalidOperationException>(() => engine.UpdateAsync(engine.Spec));
        await engine.DisposeAsync();
        await engine.DisposeAsync();
        Assert.Equal(EngineState.Failed, engine.State);
        Assert.False(ports["wan"].IsOpen || ports["lan"].IsOpen);
    }

    private static async Task<DataplaneEngine> StartAsync(TestPorts ports, int workers = 1, Action<DataplaneBuilder>? configure = null)
    {
        ports.Add("wan", new MemoryPortOptions { Mac = TestPlane.WanMac });
        ports.Add("lan", new MemoryPortOptions { Mac = TestPlane.LanMac });
        DataplaneBuilder builder = new DataplaneBuilder().Port("wan", PortSource.Memory(ports["wan"])).Port("lan", PortSource.Memory(ports["lan"]));
        TestPlane.AddAddresses(builder, withNeighbours: true);
        ServiceNet.V4.Add(builder, "v4", 80, tcp: true, BalancePolicy.Maglev, 11, 12, 13);
        ServiceNet.V6.Add(builder, "v6", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13);
        builder.Workers(spec => spec with { Count = workers });
        configure?.Invoke(builder);
        DataplaneEngine engine = builder.Build();
        await engine.StartAsync();
        return engine;
    }

    /// <summary>Another configuration each time: backends, rules, routes and neighbours change; nothing that is sent is to be lost by it.</summary>
    private static DataplaneSpec Variant(DataplaneSpec spec, int number) => spec with
    {
        Services = [.. spec.Services.Select(service => service with { TableSize = 251, Backends = [.. service.Backends.Where((_, i) => i != number % 4)] })],
        Filter = new FilterSpec
        {
            Rules = [.. Enumerable.Range(0, number % 5)
            .Select(i => new FilterRuleSpec { Name = $"r{i}", Action = FilterAction.Deny, Protocol = (byte)(200 + i) })]
        },
        Routes = [.. Enumerable.Range(0, number % 3)
            .Select(i => new RouteSpec { To = IpPrefix.Parse($"172.16.{i}.0/24"), Via = [new NextHopSpec { Address = IpAddress.Parse("10.1.0.11") }] })],
        Workers = spec.Workers,
    };

    private static long SendUntil(TestPorts ports, CancellationToken stop)
    {
        byte[][] frames = [.. Enumerable.Range(0, 64).SelectMany(i => new[]
        {
            ServiceNet.V4.FromClient().Tcp((ushort)(1000 + i), 80, TcpFlags.Ack).Build(), ServiceNet.V6.FromClient().Tcp((ushort)(1000 + i), 80, TcpFlags.Ack)
                .Build(),
            PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.12").Udp((ushort)i, 7).Build(),
        })];
        MemoryPort wan = ports["wan"], lan = ports["lan"];
        byte[] buffer = new byte[2048];
        long sent = 0, received = 0;
        while (!stop.IsCancellationRequested || received < sent)
        {
            if (!stop.IsCancellationRequested && sent - received < Window && wan.TrySend(frames[sent % frames.Length]))
            {
                sent++;
            }
            else if (lan.TryReceive(buffer, out _))
            {
                received++;
            }
            else if (!lan.WaitToReceive(TestPorts.Patience, CancellationToken.None))
            {
                Assert.Fail($"{sent - received} of {sent} packets were lost");
            }
        }

        return sent;
    }

    private static void Flood(MemoryPort port, CancellationToken stop)
    {
        byte[] frame = ServiceNet.V4.FromClient().Tcp(1000, 80, TcpFlags.Ack).Build();
        while (!stop.IsCancellationRequested)
        {
            if (!port.TrySend(frame))
            {
                Thread.Yield();
            }
        }
    }

    private sealed class BrokenFactory : IPortFactory
    {
        public string Kind => "broken";

        public IPort Open(string name) => throw new IOException($"Port {name} cannot be opened.");
    }
}
