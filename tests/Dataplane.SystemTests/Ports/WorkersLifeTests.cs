using System.Diagnostics;
using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>Two workers and their interfaces: down, up, renamed, deleted, their namespace gone; ports that come and go under traffic. Every packet is accounted for.</summary>
public sealed class WorkersLifeTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [PrivilegedFact]
    public async Task Interface_DownUpRenamedDeleted_IsAStateAndNoPacketIsUnaccounted()
    {
        using var bed = new Bed();
        await using DataplaneEngine engine = bed.Start();
        using var traffic = new Traffic(bed.Left);
        traffic.AwaitMore(bed.Right, 100);

        bed.Home.Link("set", "y0", "down");
        Await(() => engine.ReadPorts()[1].Link == LinkState.Down && engine.ReadAccounting().DroppedFor(DropReason.LinkDown) > 0, engine);
        bed.Home.Link("set", "y0", "up");
        Await(() => engine.ReadPorts()[1].Link == LinkState.Up, engine);
        traffic.AwaitMore(bed.Right, 100);

        // A running interface can be renamed since Linux 6.2; before, it must be down for it.
        bed.Home.Link("set", "y0", "down");
        bed.Home.Link("set", "y0", "name", "renamed");
        bed.Home.Link("set", "renamed", "up");
        traffic.AwaitMore(bed.Right, 100);

        long before = engine.ReadAccounting().DroppedFor(DropReason.LinkDown);
        bed.Home.Link("del", "renamed");
        Await(() => engine.ReadPorts()[1].Link == LinkState.Gone && engine.ReadAccounting().DroppedFor(DropReason.LinkDown) > before, engine);
        Assert.Equal(EngineState.Running, engine.State);
        await AssertEndsBalancedAsync(engine, traffic);
    }

    [PrivilegedFact]
    public async Task Namespace_Deleted_WorkersGoOn()
    {
        using var bed = new Bed(rightInNamespaceOfItsOwn: true);
        await using DataplaneEngine engine = bed.Start();
        using var traffic = new Traffic(bed.Left);
        traffic.AwaitMore(bed.Right, 100);
        bed.DeleteRightHome();
        Await(() => engine.ReadPorts()[1].Link == LinkState.Gone && engine.ReadAccounting().DroppedFor(DropReason.LinkDown) > 0, engine);
        Assert.Equal(EngineState.Running, engine.State);
        await AssertEndsBalancedAsync(engine, traffic);
    }

    [PrivilegedFact]
    public async Task Ports_AddedAndRemovedUnderTraffic_ForwardAndAreClosed()
    {
        using var bed = new Bed();
        await using DataplaneEngine engine = bed.Start();
        using var traffic = new Traffic(bed.Left, mostUnderway: 256);
        DataplaneSpec two = engine.Spec;
        bed.Home.Link("add", "z0", "type", "veth", "peer", "name", "z1");

        // The kernel sends nothing by itself there: a port that is closed again would have received it, and the sum over those that are left would lack it.
        bed.Home.Link("set", "z0", "addrgenmode", "none", "up");
        bed.Home.Link("set", "z1", "addrgenmode", "none", "up");
        for (int round = 0; round < 20; round++)
        {
            DataplaneSpec three = two with { Ports = [.. two.Ports, new PortSpec { Name = $"z{round}", Factory = Bed.Factory("z0", bed.Home) }] };
            ChangeReceipt added = await engine.UpdateAsync(three);
            Assert.Equal([$"z{round}"], added.PortsOpened);
            traffic.AwaitMore(bed.Right, 20);
            Assert.Equal([$"z{round}"], (await engine.UpdateAsync(two)).PortsClosed);
            traffic.AwaitMore(bed.Right, 20);
        }

        Accounting accounting = engine.ReadAccounting();
        Assert.Equal(0, accounting.DroppedFor(DropReason.WorkerRingFull) + accounting.DroppedFor(DropReason.LinkDown));
        await AssertEndsBalancedAsync(engine, traffic);
    }

    private static void Await(Func<bool> condition, DataplaneEngine engine)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_patience, $"{engine.State} {engine.ReadAccounting()} {string.Join(' ', engine.ReadPorts())}");
            Thread.Sleep(5);
        }
    }

    private static async Task AssertEndsBalancedAsync(DataplaneEngine engine, Traffic traffic)
    {
        traffic.Stop();
        await engine.StopAsync();
        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting.Held == 0 && accounting.Received > 0, accounting.ToString());
        Assert.Equal(accounting.Received, engine.ReadPorts().Sum(port => port.Statistics.ReceivedPackets));
        Assert.All(engine.ReadWorkers(), worker => Assert.True(worker.Accounting.IsBalanced, worker.ToString()));
    }

    /// <summary>Two veth pairs; the engine has one end of each, and sends by the second whatever comes by the first.</summary>
    private sealed class Bed : IDisposable
    {
        private NetworkNamespace? _rightHome;

        public Bed(bool rightInNamespaceOfItsOwn = false)
        {
            Home = NetworkNamespace.Create("life");
            NetworkNamespace rightHome = rightInNamespaceOfItsOwn ? _rightHome = NetworkNamespace.Create("gone") : Home;
            Home.Link("add", "x0", "type", "veth", "peer", "name", "x1");
            Home.Link("add", "y0", "type", "veth", "peer", "name", "y1", "netns", rightHome.Name);
            foreach ((NetworkNamespace home, string name) in new[] { (Home, "x0"), (Home, "x1"), (Home, "y0"), (rightHome, "y1") })
            {
                home.Link("set", name, "addrgenmode", "none", "up");
            }

            Left = PortBed.Open("x1", Home, slots: 1024);
            Right = PortBed.Open("y1", rightHome, slots: 1024);
        }

        public NetworkNamespace Home { get; }

        public IPort Left { get; }

        public IPort Right { get; }

        public static AfPacketPortFactory Factory(string name, NetworkNamespace home) => new AfPacketPortFactory(name)
        {
            ReceiveOptions = new Native.AfPacketReceiveOptions { NetworkNamespace = home.Name },
            TransmitOptions = new Native.AfPacketTransmitOptions { NetworkNamespace = home.Name },
        };

        public DataplaneEngine Start()
        {
            DataplaneEngine engine = new DataplaneBuilder().Port("x", PortSource.Custom(Factory("x0", Home)))
                .Port("y", PortSource.Custom(Factory("y0", Home)))
                .Stage(StagePosition.AfterParse, new Crossing()).Workers(workers => workers with { Count = 2 }).Build();
            engine.StartAsync().GetAwaiter().GetResult();
            Assert.Equal(["x", "y"], engine.ReadWorkers().SelectMany(worker => worker.Ports));
            return engine;
        }

        /// <summary>Deletes the namespace of the far end, once no socket keeps it: the near end goes with it.</summary>
        public void DeleteRightHome()
        {
            Right.Dispose();
            _rightHome!.Dispose();
            _rightHome = null;
        }

        public void Dispose()
        {
            Left.Dispose();
            Right.Dispose();
            _rightHome?.Dispose();
            Home.Dispose();
        }
    }

    /// <summary>What comes by the first port leaves by the second.</summary>
    private sealed class Crossing : IStage
    {
        public string Name => "crossing";

        public void Process(PacketBatch batch)
        {
            for (int i = 0; batch.Port.Value == 0 && i < batch.Count; i++)
            {
                batch.Transmit(i, new PortId(1));
            }
        }
    }

    /// <summary>Frames sent by a thread of its own, a few every millisecond; where it is said, only so many before those have come that were sent: then no ring can
    /// overflow, however long a worker gets no processor.</summary>
    private sealed class Traffic : IDisposable
    {
        private readonly Thread _thread;
        private readonly long _mostUnderway;
        private volatile bool _stopping;
        private long _sent, _seen;

        public Traffic(IPort port, long mostUnderway = long.MaxValue)
        {
            _mostUnderway = mostUnderway;
            _thread = new Thread(() => Send(port)) { IsBackground = true };
            _thread.Start();
        }

        public void AwaitMore(IPort port, int frames)
        {
            long start = Stopwatch.GetTimestamp();
            var batch = new PacketBatch();
            for (int seen = 0; seen < frames;)
            {
                Assert.True(Stopwatch.GetElapsedTime(start) < s_patience, $"{seen} of {frames} frames came");
                batch.Clear(new PortId(0), 0);
                int received = port.Receive(batch);
                seen += received;
                Interlocked.Add(ref _seen, received);
                port.Release(batch);
                Thread.Yield();
            }
        }

        public void Stop()
        {
            _stopping = true;
            _thread.Join();
        }

        public void Dispose() => Stop();

        private void Send(IPort port)
        {
            byte[] memory = new byte[8 * 128];
            var batch = new PacketBatch();
            while (!_stopping)
            {
                if (_sent - Interlocked.Read(ref _seen) >= _mostUnderway)
                {
                    Thread.Sleep(1);
                    continue;
                }

                batch.Clear(new PortId(0), 0);
                batch.SetMemory(memory);
                for (int i = 0; i < 8; i++)
                {
                    batch.Add((i * 128) + 64, 60);
                }

                port.Transmit(batch, [0, 1, 2, 3, 4, 5, 6, 7]);
                port.Flush();
                _sent += 8;
                Thread.Sleep(1);
            }
        }
    }
}
