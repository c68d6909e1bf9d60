using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Ports;

public class FaultyPortTests
{
    private static readonly FaultOptions s_everything = new()
    {
        Loss = 0.1,
        Corruption = 0.1,
        Truncation = 0.1,
        Duplication = 0.2,
        Reordering = 0.3,
        ReorderingDepth = 5,
    };

    [Fact]
    public void NoFaults_BothWays_ChangesNothing()
    {
        var memory = new MemoryPort();
        using var port = new FaultyPort(memory.Open("p"), 1);
        byte[][] frames = Frames(500);
        Assert.Equal(frames, Through(memory, port, frames));
        Assert.Equal(frames, Out(memory, port, frames));
        Assert.Equal((500, 500, 0), (port.ReceiveFaults.Offered, port.ReceiveFaults.Delivered, port.ReceiveFaults.Lost));
        Assert.Equal((500, 500, 0), (port.TransmitFaults.Offered, port.TransmitFaults.Delivered, port.TransmitFaults.Waiting));
    }

    [Fact]
    public void SameSeed_SameFrames_SameFaults_AndAnotherSeedOthers()
    {
        byte[][] frames = Frames(2000);
        List<byte[]> Run(ulong seed, bool receive)
        {
            var memory = new MemoryPort();
            using var port = new FaultyPort(memory.Open("p"), seed, s_everything, s_everything);
            return receive ? Through(memory, port, frames) : Out(memory, port, frames);
        }

        foreach (bool receive in (bool[])[true, false])
        {
            List<byte[]> first = Run(7, receive);
            Assert.Equal(first, Run(7, receive));
            Assert.NotEqual(first, Run(8, receive));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Everything_BothWays_CountersSayWhatBecameOfEveryFrame(bool receive)
    {
        const int Count = 20_000;
        var memory = new MemoryPort();
        using var port = new FaultyPort(memory.Open("p"), 3, s_everything, s_everything);
        byte[][] frames = Frames(Count);
        List<byte[]> got = receive ? Through(memory, port, frames) : Out(memory, port, frames);
        FaultCounters counters = receive ? port.ReceiveFaults : port.TransmitFaults;
        Assert.Equal(Count, counters.Offered);
        Assert.Equal(0, counters.Waiting + counters.Refused);
        Assert.Equal(counters.Offered + counters.Duplicated, counters.Delivered + counters.Lost);
        Assert.Equal(counters.Delivered, got.Count);
        // Within five standard deviations of what the probabilities say.
        AssertNear(Count * 0.1, counters.Lost);
        AssertNear(Count * 0.9 * 0.1, counters.Corrupted);
        AssertNear(Count * 0.9 * 0.1, counters.Truncated);
        AssertNear(Count * 0.9 * 0.2, counters.Duplicated);
        Assert.InRange(counters.Reordered, Count / 5, Count / 2);
        // Every frame carries its number: what came out is what the counters say.
        HashSet<string> sent = [.. frames.Select(Convert.ToHexString)];
        int damaged = got.Count(frame => !sent.Contains(Convert.ToHexString(frame)));
        Assert.InRange(damaged, counters.Truncated, (counters.Corrupted + counters.Truncated) * 2);
        port.ReadStatistics(out PortStatistics statistics);
        if (receive)
            Assert.Equal((counters.Delivered, counters.Lost, got.Sum(frame => (long)frame.Length)), (statistics.ReceivedPackets, statistics.KernelDrops, statistics.ReceivedBytes));
        else
            Assert.Equal((Count, frames.Sum(frame => (long)frame.Length)), (statistics.TransmittedPackets, statistics.TransmittedBytes));
    }

    [Fact]
    public void Reordering_Depth_BoundsHowLateAFrameIs()
    {
        var memory = new MemoryPort();
        using var port = new FaultyPort(memory.Open("p"), 5, new FaultOptions { Reordering = 0.3, ReorderingDepth = 4 });
        List<byte[]> got = Through(memory, port, Frames(3000));
        int[] numbers = [.. got.Select(NumberOf)];
        Assert.Equal(Enumerable.Range(0, 3000), numbers.Order());
        int late = 0;
        for (int i = 0; i < numbers.Length; i++)
        {
            int overtakenBy = numbers.Take(i).Count(number => number > numbers[i]);
            late += overtakenBy > 0 ? 1 : 0;
            Assert.InRange(overtakenBy, 0, 4 + 4);
        }

        Assert.InRange(late, 300, port.ReceiveFaults.Reordered);
    }

    [Fact]
    public void Receive_OneFrameThatIsLate_ComesBeforeTheWorkerMaySleep()
    {
        var memory = new MemoryPort();
        using var port = new FaultyPort(memory.Open("p"), 1, new FaultOptions { Reordering = 1 });
        memory.TrySend([1]);
        Assert.Equal([[1]], TestFrames.ReceiveAll(port));
        Assert.Equal(0, port.ReceiveFaults.Reordered);
    }

    [Fact]
    public void Receive_EverythingLost_LooksUntilTheInnerPortHasNoMore()
    {
        var memory = new MemoryPort();
        var waker = new CountingWaker();
        using var port = new FaultyPort(memory.Open("p"), 1, new FaultOptions { Loss = 1 });
        port.SetWaker(waker);
        for (int i = 0; i < 600; i++)
            Assert.True(memory.TrySend([1]));
        Assert.Empty(TestFrames.ReceiveAll(port));
        Assert.Equal(0, memory.PendingSent);
        // Had it returned 0 with frames left, this frame would not wake a worker that sleeps.
        memory.TrySend([1]);
        Assert.Equal(1, waker.Count);
    }

    [Fact]
    public void Transmit_InnerRingFull_IsToldWithReasonAndNumber()
    {
        var memory = new MemoryPort(new MemoryPortOptions { RingSlots = 4 });
        using var port = new FaultyPort(memory.Open("p"), 1);
        PacketBatch batch = TestFrames.Batch(Frames(7));
        Assert.Equal(3, port.Transmit(batch, [6, 5, 4]));
        Assert.Equal(1, port.Transmit(batch, [3, 2, 1, 0]));
        Assert.Equal([DropReason.TransmitRingFull, DropReason.TransmitRingFull, DropReason.TransmitRingFull, DropReason.None], Enumerable.Range(0, 4).Select(batch.ReasonOf));
        Assert.Equal((4, 4), (port.TransmitFaults.Offered, port.TransmitFaults.Delivered));
        port.ReadStatistics(out PortStatistics statistics);
        Assert.Equal((4, 3, 4 * 60), (statistics.TransmittedPackets, statistics.TransmitRefused, statistics.TransmittedBytes));
    }

    [Fact]
    public void Transmit_LateAndDoubledFramesRefused_AreCountedNotTold()
    {
        var memory = new MemoryPort(new MemoryPortOptions { RingSlots = 2 });
        using var port = new FaultyPort(memory.Open("p"), 1, transmit: new FaultOptions { Duplication = 1, Reordering = 1, ReorderingDepth = 64 });
        PacketBatch batch = TestFrames.Batch(Frames(5));
        Assert.Equal(5, port.Transmit(batch, TestFrames.All(batch)));
        Assert.Equal(10, port.TransmitFaults.Waiting);
        port.Flush();
        FaultCounters counters = port.TransmitFaults;
        Assert.Equal((5, 5, 2, 8, 0), (counters.Offered, counters.Duplicated, counters.Delivered, counters.Refused, counters.Waiting));
        Assert.Equal(2, memory.PendingReceived);
    }

    [Fact]
    public void Transmit_LinkDownOrTooLong_IsTold()
    {
        var memory = new MemoryPort(new MemoryPortOptions { SlotBytes = 8192 });
        using var port = new FaultyPort(memory.Open("p"), 1);
        PacketBatch batch = TestFrames.Batch(new byte[1921], [1]);
        memory.SetLink(LinkState.Down);
        Assert.Equal(0, port.Transmit(batch, [0, 1]));
        Assert.Equal((DropReason.FrameTooLong, DropReason.LinkDown), (batch.ReasonOf(0), batch.ReasonOf(1)));
        Assert.Equal(LinkState.Down, port.Link);
    }

    [Fact]
    public void AnyOptions_AnyBatches_AccountingIsExact()
    {
        Gen<double> probability = Gen.Choose(0, 4).Select(quarter => quarter / 4.0);
        Arbitrary<(double[] Probabilities, int Depth, int[] Bursts)> runs = probability.ArrayOf(5)
            .Zip(Gen.Choose(1, 64)).Zip(Gen.Choose(0, 300).ArrayOf(), (first, bursts) => (first.Item1, first.Item2, bursts)).ToArbitrary();
        Prop.ForAll(runs, run =>
        {
            (double[] p, int depth, int[] bursts) = run;
            var options = new FaultOptions { Loss = p[0], Corruption = p[1], Truncation = p[2], Duplication = p[3], Reordering = p[4], ReorderingDepth = depth };
            var memory = new MemoryPort(new MemoryPortOptions { RingSlots = 512, SlotBytes = 512, Mtu = 300 });
            using var port = new FaultyPort(memory.Open("p"), (ulong)bursts.Length, options, options);
            int sent = 0, delivered = 0, accepted = 0;
            var batch = new PacketBatch();
            foreach (int burst in bursts.Take(20))
            {
                for (int i = 0; i < burst; i++)
                    sent += memory.TrySend(TestFrames.Make(i, i % 100)) ? 1 : 0;
                batch.Clear(default, 0);
                delivered += port.Receive(batch);
                accepted += port.Transmit(batch, TestFrames.All(batch));
                if (burst % 2 == 0)
                    port.Flush();
                port.Release(batch);
                Check(port.ReceiveFaults);
                Check(port.TransmitFaults);
                if (burst % 3 == 0)
                    memory.ReceiveMany().Dispose();
            }

            delivered += TestFrames.ReceiveAll(port).Count;
            port.Flush();
            Assert.Equal((sent, delivered, 0), (port.ReceiveFaults.Offered, port.ReceiveFaults.Delivered, port.ReceiveFaults.Waiting));
            Assert.Equal((accepted, 0), (port.TransmitFaults.Offered, port.TransmitFaults.Waiting));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100).WithEndSize(30));

        static void Check(FaultCounters c) => Assert.Equal(c.Offered + c.Duplicated, c.Delivered + c.Lost + c.Refused + c.Waiting);
    }

    [Theory]
    [InlineData(-0.1, 8)]
    [InlineData(1.1, 8)]
    [InlineData(double.NaN, 8)]
    [InlineData(0.5, 0)]
    [InlineData(0.5, 65)]
    public void Constructor_OptionOutOfRange_Throws(double loss, int depth) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new FaultyPort(new MemoryPort().Open("p"), 1, new FaultOptions { Loss = loss, ReorderingDepth = depth }));

    [Fact]
    public void PacketsWay_Steady_AllocatesNothing()
    {
        var memory = new MemoryPort();
        using var port = new FaultyPort(memory.Open("p"), 9, s_everything, s_everything);
        var batch = new PacketBatch();
        short[] all = [.. Enumerable.Range(0, 256).Select(number => (short)number)];
        byte[] frames = new byte[100 * 100];
        int[] lengths = [.. Enumerable.Repeat(100, 100)];
        Allocations.AssertNone(100, () =>
        {
            memory.SendMany(frames, lengths);
            batch.Clear(default, 0);
            int count = port.Receive(batch);
            port.Transmit(batch, all.AsSpan(0, count));
            port.Flush();
            port.Release(batch);
            memory.ReceiveMany().Dispose();
        });
    }

    private static byte[][] Frames(int count) => [.. Enumerable.Range(0, count).Select(number => (byte[])[.. BitConverter.GetBytes(number), .. TestFrames.Make(number, 56)])];

    private static int NumberOf(byte[] frame) => BitConverter.ToInt32(frame);

    /// <summary>Frames sent to the engine through the port, some at a time.</summary>
    private static List<byte[]> Through(MemoryPort memory, FaultyPort port, byte[][] frames)
    {
        var got = new List<byte[]>();
        foreach (byte[][] some in frames.Chunk(100))
        {
            foreach (byte[] frame in some)
                Assert.True(memory.TrySend(frame));
            got.AddRange(TestFrames.ReceiveAll(port));
        }

        return got;
    }

    /// <summary>Frames transmitted by the engine through the port, some at a time.</summary>
    private static List<byte[]> Out(MemoryPort memory, FaultyPort port, byte[][] frames)
    {
        var got = new List<byte[]>();
        foreach (byte[][] some in frames.Chunk(100))
        {
            PacketBatch batch = TestFrames.Batch(some);
            Assert.Equal(some.Length, port.Transmit(batch, TestFrames.All(batch)));
            port.Flush();
            using ReceivedFrames received = memory.ReceiveMany(1000);
            foreach (ReadOnlySpan<byte> frame in received)
                got.Add(frame.ToArray());
        }

        return got;
    }

    private static void AssertNear(double expected, long counted) => Assert.InRange(counted, expected - (5 * Math.Sqrt(expected)), expected + (5 * Math.Sqrt(expected)));
}
