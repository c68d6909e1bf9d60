using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Dataplane.Pipeline;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>Ports whose queues are spread over workers: everything arrives, no flow is reordered, everything is counted.</summary>
public sealed class QueueTests
{
    private const int Flows = 32, PerFlow = 200, Window = 128, FirstPort = 20_000;

    [SystemTheory]
    [InlineData(QueueKind.AfPacket, false)]
    [InlineData(QueueKind.AfPacket, true)]
    [InlineData(QueueKind.AfXdp, false)]
    [InlineData(QueueKind.AfXdp, true)]
    [InlineData(QueueKind.Tap, false)]
    [InlineData(QueueKind.Tap, true)]
    public async Task TwoQueues_ManyFlows_AllArriveInOrderByBothQueues(QueueKind kind, bool translated)
    {
        await using QueueBed bed = await QueueBed.StartAsync(kind, translated: translated);
        Assert.Equal(["client server", "client server"], bed.Engine.ReadWorkers().Select(worker => string.Join(' ', worker.Ports)));
        foreach (int version in new[] { 4, 6 })
            SendFlows(bed, version);
        foreach (PortStatus port in bed.Engine.ReadPorts())
            Assert.Contains("2 queues", port.Description, StringComparison.Ordinal);
        Assert.All(bed.PortOf("client").Queues, queue => Assert.True(queue.ReceivedPackets >= PerFlow, $"{queue.ReceivedPackets}"));
        if (!translated)
        {
            // With translation the remote end chooses the owner, and there is but one.
            Assert.All(bed.PortOf("server").Queues, queue => Assert.True(queue.TransmittedPackets >= PerFlow, $"{queue.TransmittedPackets}"));
        }

        Assert.Equal(0, bed.Engine.ReadPorts().Sum(port => port.Statistics.KernelDrops));
        Accounting accounting = await bed.StopAsync();
        Assert.Equal(0, accounting.DroppedFor(DropReason.WorkerRingFull) + accounting.DroppedFor(DropReason.TransmitRingFull));
        Assert.Equal(translated, bed.Engine.ReadWorkers().Any(worker => worker.HandedOver > 0));
    }

    [SystemTheory("ping", "iperf3")]
    [InlineData(QueueKind.AfPacket, 4)]
    [InlineData(QueueKind.AfPacket, 6)]
    [InlineData(QueueKind.AfXdp, 4)]
    [InlineData(QueueKind.AfXdp, 6)]
    [InlineData(QueueKind.Tap, 4)]
    [InlineData(QueueKind.Tap, 6)]
    public async Task TwoQueues_PingAndIperf_AnswerAndArrive(QueueKind kind, int version)
    {
        await using QueueBed bed = await QueueBed.StartAsync(kind, translated: version == 4);
        string target = QueueBed.Target(version);
        (await ChildProgram.RunAsync(bed.Client.Name, ["ping", $"-{version}", "-c", "5", "-i", "0.05", "-W", "10", target])).MustSucceed();
        // What is still in the sockets' buffers when the client has sent enough, iperf3 does not count as received.
        Assert.InRange(await bed.RunIperfAsync("--client", target, "--bytes", "64M", "--parallel", "4"), 32_000_000, long.MaxValue);
        await bed.StopAsync();
    }

    [SystemTheory]
    [InlineData(QueueKind.AfPacket)]
    [InlineData(QueueKind.AfXdp)]
    [InlineData(QueueKind.Tap)]
    public async Task FourQueues_OnOneWorkerOrThree_AllArriveInOrder(QueueKind kind)
    {
        foreach (int workers in new[] { 1, 3 })
        {
            await using QueueBed bed = await QueueBed.StartAsync(kind, workers, queues: 4);
            SendFlows(bed, version: 6);
            Assert.All(bed.PortOf("client").Queues, queue => Assert.True(queue.ReceivedPackets > 0));
            await bed.StopAsync();
        }
    }

    [SystemTheory]
    [InlineData(QueueKind.AfPacket)]
    [InlineData(QueueKind.AfXdp)]
    [InlineData(QueueKind.Tap)]
    public async Task Port_RemovedAndAddedAgain_ForwardsByAllQueues(QueueKind kind)
    {
        await using QueueBed bed = await QueueBed.StartAsync(kind);
        SendFlows(bed, version: 4);
        DataplaneSpec both = bed.Engine.Spec;
        DataplaneSpec one = both with { Ports = [both.Ports[1]], Interfaces = [.. both.Interfaces.Where(entry => entry.Port == "server")] };
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal(["client"], (await bed.Engine.UpdateAsync(one)).PortsClosed);
            Assert.Equal(["client"], (await bed.Engine.UpdateAsync(both)).PortsOpened);
        }

        if (kind == QueueKind.Tap)
            bed.Reconfigure();
        SendFlows(bed, version: 4);
        Assert.All(bed.PortOf("client").Queues, queue => Assert.True(queue.ReceivedPackets > 0));
        await bed.Engine.StopAsync();
        Assert.True(bed.Engine.ReadAccounting().IsBalanced);
    }

    /// <summary>Sends numbered datagrams of many flows, never more on their way than queues hold, and asserts that all come, each flow in order.</summary>
    private static void SendFlows(QueueBed bed, int version)
    {
        using Socket receiver = QueueBed.Udp(bed.Server, version, QueueBed.Port);
        var target = new IPEndPoint(IPAddress.Parse(QueueBed.Target(version)), QueueBed.Port);
        Socket[] senders = [.. Enumerable.Range(0, Flows).Select(flow => QueueBed.Udp(bed.Client, version, FirstPort + flow))];
        int[] next = new int[Flows];
        byte[] message = new byte[64], received = new byte[64];

        // The first of each flow comes alone: each worker asks for its neighbours' addresses, and meanwhile holds a few packets, not many.
        for (int flow = 0; flow < Flows; flow++)
        {
            Send(flow, 0);
            Receive();
        }

        int sent = Flows, arrived = Flows;
        for (int number = 1; number < PerFlow; number++)
        {
            for (int flow = 0; flow < Flows; flow++)
            {
                Send(flow, number);
                for (sent++; sent - arrived >= Window; arrived++)
                    Receive();
            }
        }

        for (; arrived < sent; arrived++)
            Receive();
        Array.ForEach(senders, sender => sender.Dispose());
        Assert.All(next, count => Assert.Equal(PerFlow, count));

        void Send(int flow, int number)
        {
            BinaryPrimitives.WriteInt32LittleEndian(message, flow);
            BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), number);
            senders[flow].SendTo(message, target);
        }

        void Receive()
        {
            Assert.Equal(message.Length, receiver.Receive(received));
            int flow = BinaryPrimitives.ReadInt32LittleEndian(received);
            Assert.Equal(next[flow]++, BinaryPrimitives.ReadInt32LittleEndian(received.AsSpan(4)));
        }
    }
}
