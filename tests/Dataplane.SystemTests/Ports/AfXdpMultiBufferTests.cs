using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Native.Tests.Packets;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.SystemTests.Ports;

/// <summary>Frames longer than a chunk: put together when they come, cut when they leave, and no chunk lost by it.</summary>
public class AfXdpMultiBufferTests
{
    private const int Mtu = 9000, Entries = 256;

    private static readonly int[] s_lengths = [60, 1514, 3839, 3840, 3841, 4095, 4096, 4097, 7680, 7681, 8192, 8193, 9014, 9018, 61];

    [PrivilegedTheory]
    [InlineData(XdpMode.Native)]
    [InlineData(XdpMode.Generic)]
    public void Transmit_FramesOfAllLengths_ArriveAndNoChunkIsLost(XdpMode mode)
    {
        using PortBed bed = NewBed(mode);
        Assert.Equal(Mtu, bed.Left.Mtu);
        Assert.Contains("frames in several buffers", ((AfXdpPort)bed.Left).Description, StringComparison.Ordinal);
        for (int round = 0; round < 100; round++)
        {
            byte[][] frames = [.. s_lengths.Select(length => Frames.Numbered(round, length))];
            foreach ((IPort from, IPort to) in new[] { (bed.Left, bed.Right), (bed.Right, bed.Left) })
            {
                bed.SendFrom(from, frames);
                List<byte[]> received = bed.Collect(to, frames.Length);
                Assert.Equal(s_lengths, received.Select(frame => frame.Length));
                Assert.All(received, frame => Assert.Equal(Frames.Numbered(round, frame.Length), frame));
            }
        }

        foreach (IPort port in new[] { bed.Left, bed.Right })
        {
            port.ReadStatistics(out PortStatistics statistics);
            Assert.Equal((1500, 1500, 0, 0, 0), (statistics.ReceivedPackets, statistics.TransmittedPackets, statistics.TransmitRefused, statistics.Errors, statistics.KernelDrops));
            Assert.Equal(100 * s_lengths.Sum(), statistics.ReceivedBytes);
            Assert.Equal(100 * s_lengths.Sum(), statistics.TransmittedBytes);
        }

        AwaitAllChunks(bed);
    }

    [PrivilegedFact]
    public void Transmit_WhatWasPutTogether_IsCopiedThoughTheMemoryIsShared()
    {
        using PortBed bed = NewBed(XdpMode.Native);
        for (int round = 0; round < 100; round++)
        {
            bed.SendFrom(bed.Left, Frames.Numbered(round, 9000), Frames.Numbered(round, 100), Frames.Numbered(round, 5000));
            PacketBatch batch = ReceiveAtRight(bed, 3);
            // The last one leaves shortened to what fits a chunk, as after headers were taken off.
            batch.Lengths[2] = 1000;
            Assert.Equal(3, bed.Right.Transmit(batch, [0, 1, 2]));
            Assert.Equal([false, true, false], batch.Marks.Take(3).Select(mark => (mark & PacketMarks.FramePassedOn) != 0));
            bed.Right.Flush();
            bed.Right.Release(batch);
            List<byte[]> back = bed.Collect(bed.Left, 3);
            Assert.Equal([9000, 100, 1000], back.Select(frame => frame.Length));
            Assert.Equal(Frames.Numbered(round, 9000), back[0]);
            Assert.Equal(Frames.Numbered(round, 100), back[1]);
            Assert.Equal(Frames.Numbered(round, 5000)[..1000], back[2]);
        }

        AwaitAllChunks(bed);
    }

    [PrivilegedTheory]
    [InlineData(XdpMode.Native)]
    [InlineData(XdpMode.Generic)]
    public void Receive_FramesLongerThanAllowed_AreDroppedByNameAndTheRingGoesOn(XdpMode mode)
    {
        var memories = new AfXdpMemories();
        using var bed = new PortBed(64, (name, home) => name == "a0" ? PortBed.Open(name, home, 64) : Open(name, home, mode, memories), Mtu);
        // The interface takes more than it did when the port was opened.
        bed.LeftHome.Link("set", "a0", "mtu", "40000");
        bed.RightHome.Link("set", "b0", "mtu", "40000");
        using IPort far = PortBed.Open("a0", bed.LeftHome, 64);
        using var large = new PortBed(mtu: 40000);
        int dropped = 0, right = 0;
        for (int round = 0; round < 300; round++)
        {
            int[] lengths = [60, 39000, 9018, 9019, 20000, 100];
            large.SendFrom(far, [.. lengths.Select(length => Frames.Numbered(round, length))]);
            PacketBatch batch = ReceiveAtRight(bed, lengths.Length);
            Assert.Equal([DropReason.None, DropReason.FrameTooLong, DropReason.None, DropReason.FrameTooLong, DropReason.FrameTooLong, DropReason.None],
                Enumerable.Range(0, lengths.Length).Select(batch.ReasonOf));
            foreach (int i in new[] { 0, 2, 5 })
                Assert.Equal(Frames.Numbered(round, lengths[i]), batch.Frame(i).ToArray());
            Assert.All(batch.Lengths[..lengths.Length].ToArray(), length => Assert.InRange(length, 60, 9018));
            dropped += Enumerable.Range(0, batch.Count).Count(i => batch.VerdictOf(i) == Verdict.Drop);
            right += batch.Count;
            bed.Right.Release(batch);
        }

        bed.Right.ReadStatistics(out PortStatistics statistics);
        Assert.Equal((1800, 900, 1800, 0, 0), (right, dropped, statistics.ReceivedPackets, statistics.KernelDrops, statistics.Errors));
        AwaitAllChunks(bed);
    }

    [PrivilegedFact]
    public void Receive_NobodyReadsLongFrames_DropsAreCountedAndReceivingGoesOn()
    {
        using PortBed bed = NewBed(XdpMode.Native);
        int accepted = 0;
        for (int round = 0; round < 100; round++)
        {
            PacketBatch batch = bed.NewBatch();
            for (int i = 0; i < 20; i++)
                bed.AddFrame(batch, Frames.Numbered(i, 9000));
            accepted += bed.Left.Transmit(batch, PortBed.AllOf(batch));
            bed.Left.Flush();
        }

        // Three entries of the ring to a frame.
        const int Most = Entries / 3;
        long end = MonotonicClock.NowNs + 10_000_000_000;
        PortStatistics left, right;
        do
        {
            bed.Right.ReadStatistics(out right);
            bed.Left.ReadStatistics(out left);
        }
        while (right.KernelDrops + left.Errors < accepted - Most && MonotonicClock.NowNs < end);
        Assert.Equal(Most, bed.Collect(bed.Right, Most).Count);
        bed.Right.ReadStatistics(out right);
        Assert.Equal(accepted, right.ReceivedPackets + right.KernelDrops + left.Errors);
        bed.SendFrom(bed.Left, Frames.Numbered(7777, 9000));
        Assert.Equal(Frames.Numbered(7777, 9000), Assert.Single(bed.Collect(bed.Right, 1)));
        AwaitAllChunks(bed);
    }

    [PrivilegedFact]
    public void Open_WithFlowsAndRules_ProgramTakesFramesOfSeveralBuffers()
    {
        using var flows = new XdpFlowMap();
        TrafficRules leave = [new TrafficRule { Protocol = 6, ToPort = new Filtering.PortRange(22, 22) }];
        using var bed = new PortBed(open: (name, home) => new AfXdpPortFactory(name)
        {
            Options = new AfXdpOptions { Mode = XdpMode.Native, RingEntries = Entries, NetworkNamespace = home.Name },
            Flows = flows,
            Leave = leave,
        }.Open(name), mtu: Mtu);
        bed.SendFrom(bed.Left, Frames.Numbered(1, 9000), Frames.Numbered(2, 60));
        List<byte[]> received = bed.Collect(bed.Right, 2);
        Assert.Equal([Frames.Numbered(1, 9000), Frames.Numbered(2, 60)], received);
    }

    [PrivilegedFact]
    public void Open_WithoutSeveralBuffers_SaysWhatIsLeft()
    {
        var options = new AfXdpOptions { AllowMultiBuffer = false };
        using var bed = new PortBed(open: (name, home) => AfXdpPortTests.Open(name, home, options), mtu: Mtu);
        Assert.Equal(3822, bed.Left.Mtu);
        Assert.Contains("frames in one buffer: an MTU of 3822 at most", ((AfXdpPort)bed.Left).Description, StringComparison.Ordinal);
        PacketBatch batch = bed.NewBatch();
        bed.AddFrame(batch, Frames.Numbered(1, 9000));
        bed.AddFrame(batch, Frames.Numbered(2, 3836));
        Assert.Equal(1, bed.Left.Transmit(batch, [0, 1]));
        Assert.Equal(DropReason.FrameTooLong, batch.ReasonOf(0));
        bed.Left.Flush();
        Assert.Equal(2, Frames.NumberOf(Assert.Single(bed.Collect(bed.Right, 1))));
    }

    [PrivilegedFact]
    public void Forward_TenThousandBatches_AllocatesNothing()
    {
        using PortBed bed = NewBed(XdpMode.Native);
        PacketBatch source = bed.NewBatch();
        foreach (int length in new[] { 60, 9000, 5000 })
            bed.AddFrame(source, Frames.Numbered(1, length));
        short[] all = PortBed.AllOf(source), received = [.. Enumerable.Range(0, PacketBatch.Capacity).Select(i => (short)i)];
        var batch = new PacketBatch();
        long Run(int batches)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < batches; i++)
            {
                bed.Left.Transmit(source, all);
                bed.Left.Flush();
                batch.Clear(new PortId(1), 0);
                int count = bed.Right.Receive(batch);
                bed.Right.Transmit(batch, received.AsSpan(0, count));
                bed.Right.Flush();
                if (count > 0)
                    bed.Right.Release(batch);
                batch.Clear(new PortId(0), 0);
                if (bed.Left.Receive(batch) > 0)
                    bed.Left.Release(batch);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Run(500);
        Assert.Equal(0, Run(10_000));
        bed.Left.ReadStatistics(out PortStatistics statistics);
        Assert.True(statistics.ReceivedPackets > 0);
    }

    private static PortBed NewBed(XdpMode mode)
    {
        var memories = new AfXdpMemories();
        memories.Expect(2);
        return new PortBed(open: (name, home) => Open(name, home, mode, memories), mtu: Mtu);
    }

    private static IPort Open(string name, NetworkNamespace home, XdpMode mode, AfXdpMemories memories) =>
        AfXdpPortTests.Open(name, home, new AfXdpOptions { Mode = mode, RingEntries = Entries }, memories);

    /// <summary>All but the chunks that wait in the fill rings must be back in the pool, soon.</summary>
    private static void AwaitAllChunks(PortBed bed)
    {
        AfXdpPort[] ports = [.. new[] { bed.Left, bed.Right }.OfType<AfXdpPort>()];
        XdpMemory memory = ports[0].Frames;
        int expected = ports.Length * (memory.ChunksPerPort - Entries);
        long end = MonotonicClock.NowNs + 10_000_000_000;
        while (memory.Pooled != expected && MonotonicClock.NowNs < end)
        {
            foreach (AfXdpPort port in ports)
                Assert.Equal(0, port.Receive(bed.NewBatch()));
        }

        Assert.Equal(expected, memory.Pooled);
        Assert.All(Enumerable.Range(1, ports.Length), number => Assert.Equal(Entries, memory.CountOf((byte)number)));
    }

    private static PacketBatch ReceiveAtRight(PortBed bed, int count)
    {
        PacketBatch batch = bed.NewBatch();
        bed.WaitReadable(bed.Right);
        long end = MonotonicClock.NowNs + 10_000_000_000;
        while (batch.Count < count && MonotonicClock.NowNs < end)
            bed.Right.Receive(batch);
        Assert.Equal(count, batch.Count);
        return batch;
    }
}
