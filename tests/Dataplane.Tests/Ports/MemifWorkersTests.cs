using System.Buffers.Binary;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>memif ports whose queues belong to two workers, between peers with as many queues and with fewer.</summary>
[Collection(MemifCollection.Name)]
public sealed class MemifWorkersTests : IDisposable
{
    private const int Flows = 8, PerFlow = 200, FrameBytes = 64;

    private readonly MemifBed _in = new(), _out = new();

    public void Dispose()
    {
        _in.Dispose();
        _out.Dispose();
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(2, 1)]
    [InlineData(1, 2)]
    [InlineData(4, 4)]
    public async Task TwoWorkers_PeersWithQueues_AllArriveInOrderAndAreCounted(int queuesOfSource, int queuesOfSink)
    {
        // A client asks for no more than the server has, and the server's greeting does not say how many.
        int queues = Math.Max(queuesOfSource, queuesOfSink);
        await using DataplaneEngine engine = new DataplaneBuilder()
            .Port("in", PortSource.Memif(_in.SocketPath, 0, PortRole.Server).WithQueues(queues))
            .Port("out", PortSource.Memif(_out.SocketPath, 0, PortRole.Server).WithQueues(queues))
            .Workers(workers => workers with { Count = 2 }).Stage(StagePosition.AfterParse, new Crossing()).Build();
        engine.StartManual();
        IPort source = _in.Open(PortRole.Client, new MemifOptions { Queues = queuesOfSource, RingEntries = 64 });
        IPort sink = _out.Open(PortRole.Client, new MemifOptions { Queues = queuesOfSink, RingEntries = 64 });
        MemifBed.Await(() => engine.ReadPorts().All(port => port.Link == LinkState.Up) && engine.RunOnce() == 0, source, sink);
        MemifBed.AwaitLink(source, LinkState.Up);
        MemifBed.AwaitLink(sink, LinkState.Up);

        int[] next = new int[Flows];
        for (int number = 0; number < PerFlow; number++)
        {
            Assert.Equal(Flows, Send(source, number));
            int arrived = 0;
            long end = Environment.TickCount64 + (long)TestPorts.Patience.TotalMilliseconds;
            while (arrived < Flows && Environment.TickCount64 < end)
            {
                engine.RunOnce();
                foreach (byte[] frame in TestFrames.ReceiveAll(sink))
                {
                    arrived++;
                    Assert.Equal(next[frame[14]]++, BinaryPrimitives.ReadInt32LittleEndian(frame.AsSpan(16)));
                }
            }

            Assert.Equal(Flows, arrived);
        }

        AssertCounted(engine, Math.Min(queuesOfSource, 2), Math.Min(queuesOfSink, 2));
    }

    [Fact]
    public async Task Peer_GoesAndComesAgain_BothWorkersLetGoAndTakeOver()
    {
        await using DataplaneEngine engine = new DataplaneBuilder().Port("in", PortSource.Memif(_in.SocketPath, 0, PortRole.Server).WithQueues(2))
            .Workers(workers => workers with { Count = 2 }).Build();
        engine.StartManual();
        for (int round = 0; round < 20; round++)
        {
            IPort peer = _in.Open(PortRole.Client, new MemifOptions { Queues = 2, RingEntries = 64 });
            MemifBed.Await(() => engine.ReadPorts()[0].Link == LinkState.Up && engine.RunOnce() == 0, peer);
            MemifBed.AwaitLink(peer, LinkState.Up);
            Assert.Equal(Flows, Send(peer, round));
            for (int taken = 0; taken < Flows;)
                taken += engine.RunOnce();
            _in.Close(peer);
            MemifBed.Await(() => engine.RunOnce() == 0 && engine.ReadPorts()[0].Link == LinkState.Down);
        }

        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced);
        Assert.Equal(20 * Flows, accounting.Received);
    }

    private static void AssertCounted(DataplaneEngine engine, int used, int sinkQueues)
    {
        Accounting accounting = engine.ReadAccounting();
        Assert.True(accounting.IsBalanced && accounting is { Received: Flows * PerFlow, Transmitted: Flows * PerFlow, Held: 0 }, accounting.ToString());
        IReadOnlyList<PortStatus> ports = engine.ReadPorts();
        Assert.Equal(Flows * PerFlow, ports[0].Statistics.ReceivedPackets);
        Assert.Equal(Flows * PerFlow, ports[1].Statistics.TransmittedPackets);
        Assert.Equal(used, ports[0].Queues.Count(queue => queue.ReceivedPackets > 0));
        Assert.Equal(Math.Min(used, sinkQueues), ports[1].Queues.Count(queue => queue.TransmittedPackets > 0));
        Assert.Equal(sinkQueues < used, engine.ReadWorkers()[1].HandedOver > 0);
    }

    /// <summary>One numbered frame of each flow; their hashes spread them over the sender's queues.</summary>
    private static int Send(IPort port, int number)
    {
        byte[][] frames = [.. Enumerable.Range(0, Flows).Select(_ => new byte[FrameBytes])];
        for (int flow = 0; flow < Flows; flow++)
        {
            frames[flow][14] = (byte)flow;
            BinaryPrimitives.WriteInt32LittleEndian(frames[flow].AsSpan(16), number);
        }

        PacketBatch batch = TestFrames.Batch(frames);
        for (int flow = 0; flow < Flows; flow++)
            batch.Parsed[flow].Hash = (uint)flow << 29;
        int sent = port.Transmit(batch, TestFrames.All(batch));
        port.Flush();
        return sent;
    }

    /// <summary>What comes by the first port leaves by the second.</summary>
    private sealed class Crossing : IStage
    {
        public string Name => "crossing";

        public void Process(PacketBatch batch)
        {
            for (int i = 0; i < batch.Count; i++)
                batch.Transmit(i, new PortId(1));
        }
    }
}
