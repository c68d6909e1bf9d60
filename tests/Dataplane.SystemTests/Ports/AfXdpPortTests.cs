using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Native.Tests.Packets;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.SystemTests.Ports;

public class AfXdpPortTests
{
    private const int OnLeft = 0, OnRight = 1;

    [PrivilegedTheory]
    [InlineData(XdpMode.Auto)]
    [InlineData(XdpMode.Native)]
    [InlineData(XdpMode.Generic)]
    public void Transmit_BatchOfOneInterface_ArrivesOnTheOther(XdpMode mode)
    {
        using PortBed bed = NewBed(new AfXdpOptions { Mode = mode });
        string description = Assert.IsType<AfXdpPort>(bed.Left).Description;
        Assert.StartsWith(mode == XdpMode.Generic ? "generic XDP, copy" : "native XDP, copy", description, StringComparison.Ordinal);
        for (int round = 0; round < 20; round++)
        {
            PacketBatch batch = bed.NewBatch();
            for (int i = 0; i < 100; i++)
                bed.AddFrame(batch, Frames.Numbered((round * 100) + i, 60 + (i * 14)));
            Assert.Equal(100, bed.Left.Transmit(batch, PortBed.AllOf(batch)));
            bed.Left.Flush();
            List<byte[]> received = bed.Collect(bed.Right, 100);
            Assert.Equal(Enumerable.Range(round * 100, 100), received.Select(f => Frames.NumberOf(f)));
            Assert.All(received, f => Assert.Equal(Frames.Numbered(Frames.NumberOf(f), f.Length), f));
        }

        bed.Left.ReadStatistics(out PortStatistics left);
        bed.Right.ReadStatistics(out PortStatistics right);
        Assert.Equal((2000, 2000), (left.TransmittedPackets, right.ReceivedPackets));
        Assert.Equal(left.TransmittedBytes, right.ReceivedBytes);
        Assert.Equal((0, 0, 0, 0), (left.TransmitRefused, left.Errors, right.KernelDrops, right.Errors));
    }

    [PrivilegedFact]
    public void Receive_ThenTransmitFromTheRing_SendsFramesBackRewritten()
    {
        using PortBed bed = NewBed();
        bed.SendFrom(bed.Left, Frames.Numbered(1, 100), Frames.Numbered(2, 1514));
        PacketBatch batch = ReceiveAtRight(bed, 2);
        for (int i = 0; i < 2; i++)
            batch.Frame(i)[14..18].Fill(0xAB);
        Assert.Equal(2, bed.Right.Transmit(batch, [1, 0]));
        bed.Right.Flush();
        bed.Right.Release(batch);
        List<byte[]> received = bed.Collect(bed.Left, 2);
        Assert.Equal([1514, 100], received.Select(f => f.Length));
        Assert.All(received, f => Assert.Equal([0xAB, 0xAB, 0xAB, 0xAB], f[14..18]));
    }

    [PrivilegedFact]
    public void Transmit_OnSharedMemory_PassesFramesOnAndLosesNoChunk()
    {
        var memories = new AfXdpMemories();
        memories.Expect(2);
        using PortBed bed = NewBed(new AfXdpOptions { RingEntries = 64 }, memories);
        Assert.Contains("own memory", ((AfXdpPort)bed.Left).Description, StringComparison.Ordinal);
        Assert.Contains("shared memory", ((AfXdpPort)bed.Right).Description, StringComparison.Ordinal);
        for (int round = 0; round < 500; round++)
        {
            bed.SendFrom(bed.Left, Frames.Numbered(round, 100), Frames.Numbered(round, 200), Frames.Numbered(round, 300));
            PacketBatch batch = ReceiveAtRight(bed, 3);
            // Two go back as they lie, the third is lengthened into the room before it, the second is sent twice: once as a copy.
            batch.Offsets[2] -= 4;
            batch.Lengths[2] += 4;
            Assert.Equal(4, bed.Right.Transmit(batch, [0, 1, 2, 1]));
            Assert.Equal(3, batch.Marks.Take(3).Count(mark => (mark & PacketMarks.FramePassedOn) != 0));
            bed.Right.Flush();
            bed.Right.Release(batch);
            List<byte[]> back = bed.Collect(bed.Left, 4);
            Assert.Equal([100, 200, 304, 200], back.Select(f => f.Length));
            Assert.All([back[0], back[1], back[3]], f => Assert.Equal(Frames.Numbered(round, f.Length), f));
            Assert.Equal(Frames.Numbered(round, 300), back[2][4..]);
        }

        // All but the chunks that wait in the two fill rings must be back in the pool.
        XdpMemory memory = ((AfXdpPort)bed.Left).Frames;
        Assert.Same(memory, ((AfXdpPort)bed.Right).Frames);
        int expected = (2 * memory.ChunksPerPort) - (2 * 64);
        long end = MonotonicClock.NowNs + 10_000_000_000;
        while (memory.Pooled != expected && MonotonicClock.NowNs < end)
        {
            bed.Left.Receive(bed.NewBatch());
            bed.Right.Receive(bed.NewBatch());
        }

        Assert.Equal(expected, memory.Pooled);
        Assert.Equal((64, 64), (memory.CountOf(1), memory.CountOf(2)));
    }

    [PrivilegedFact]
    public void Transmit_TooLongAndTooShort_AreRefusedAloneWithTheReason()
    {
        using PortBed bed = NewBed();
        PacketBatch batch = bed.NewBatch();
        int[] lengths = [60, 1519, 60, 13, 1518];
        for (int i = 0; i < lengths.Length; i++)
            bed.AddFrame(batch, lengths[i] < 18 ? new byte[lengths[i]] : Frames.Numbered(i, lengths[i]));
        Assert.Equal(3, bed.Left.Transmit(batch, PortBed.AllOf(batch)));
        bed.Left.Flush();
        Assert.Equal([1, 3], Enumerable.Range(0, 5).Where(i => batch.ReasonOf(i) == DropReason.FrameTooLong));
        Assert.Equal([0, 2, 4], bed.Collect(bed.Right, 3).Select(f => Frames.NumberOf(f)));
        bed.Left.ReadStatistics(out PortStatistics statistics);
        Assert.Equal(2, statistics.TransmitRefused);
    }

    [PrivilegedFact]
    public void Receive_NobodyReads_DropsAreCountedAndReceivingGoesOn()
    {
        using PortBed bed = NewBed(new AfXdpOptions { RingEntries = 64 });
        int accepted = 0;
        for (int round = 0; round < 100; round++)
        {
            PacketBatch batch = bed.NewBatch();
            for (int i = 0; i < 50; i++)
                bed.AddFrame(batch, Frames.Numbered(i, 60));
            accepted += bed.Left.Transmit(batch, PortBed.AllOf(batch));
            bed.Left.Flush();
        }

        PortStatistics right;
        long end = MonotonicClock.NowNs + 10_000_000_000;
        do
        {
            bed.Right.ReadStatistics(out right);
        }
        while (right.KernelDrops < accepted - 64 && MonotonicClock.NowNs < end);
        bed.Left.ReadStatistics(out PortStatistics left);
        Assert.Equal(64, bed.Collect(bed.Right, 64).Count);
        bed.Right.ReadStatistics(out right);
        Assert.Equal(accepted, right.ReceivedPackets + right.KernelDrops + left.Errors);
        bed.SendFrom(bed.Left, Frames.Numbered(7777, 60));
        Assert.Equal(7777, Frames.NumberOf(Assert.Single(bed.Collect(bed.Right, 1))));
    }

    [PrivilegedFact]
    public void Link_DownUpAndDeleted_RefusesWithLinkDownAndRecovers()
    {
        using PortBed bed = NewBed();
        bed.LeftHome.Link("set", "a0", "down");
        Assert.Equal(LinkState.Down, bed.AwaitLink(bed.Left, LinkState.Down));
        PacketBatch batch = bed.NewBatch();
        bed.AddFrame(batch, Frames.Numbered(1, 60));
        Assert.Equal(0, bed.Left.Transmit(batch, [0]));
        Assert.Equal(DropReason.LinkDown, batch.ReasonOf(0));

        bed.LeftHome.Link("set", "a0", "up");
        Assert.Equal(LinkState.Up, bed.AwaitLink(bed.Left, LinkState.Up));
        Assert.Equal(LinkState.Up, bed.AwaitLink(bed.Right, LinkState.Up));
        bed.SendFrom(bed.Left, Frames.Numbered(2, 60));
        Assert.Equal(2, Frames.NumberOf(Assert.Single(bed.Collect(bed.Right, 1))));

        bed.LeftHome.Link("del", "a0");
        Assert.Equal(LinkState.Gone, bed.AwaitLink(bed.Left, LinkState.Gone));
        Assert.Equal(LinkState.Gone, bed.AwaitLink(bed.Right, LinkState.Gone));
        Assert.Equal(0, bed.Left.Receive(bed.NewBatch()));
        batch = bed.NewBatch();
        bed.AddFrame(batch, Frames.Numbered(1, 60));
        Assert.Equal(0, bed.Left.Transmit(batch, [0]));
        bed.Left.Flush();
    }

    [PrivilegedTheory]
    [InlineData(0)]
    [InlineData(64)]
    public void Forward_TenThousandBatches_AllocatesNothing(int busyPollBudget)
    {
        using PortBed bed = NewBed(new AfXdpOptions { BusyPollBudget = busyPollBudget });
        PacketBatch source = bed.NewBatch();
        for (int i = 0; i < 4; i++)
            bed.AddFrame(source, Frames.Numbered(i, 64));
        short[] all = PortBed.AllOf(source), received = [.. Enumerable.Range(0, PacketBatch.Capacity).Select(i => (short)i)];
        var batch = new PacketBatch();
        long Run(int batches)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < batches; i++)
            {
                bed.Left.Transmit(source, all);
                bed.Left.Flush();
                batch.Clear(new PortId(OnRight), 0);
                int count = bed.Right.Receive(batch);
                bed.Right.Transmit(batch, received.AsSpan(0, count));
                bed.Right.Flush();
                bed.Right.Release(batch);
                batch.Clear(new PortId(OnLeft), 0);
                bed.Left.Receive(batch);
                bed.Left.Release(batch);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Run(500);
        Assert.Equal(0, Run(10_000));
        bed.Left.ReadStatistics(out PortStatistics statistics);
        Assert.True(statistics.ReceivedPackets > 0);
    }

    internal static PortBed NewBed(AfXdpOptions? options = null, AfXdpMemories? memories = null)
    {
        memories ??= new AfXdpMemories();
        return new PortBed(open: (name, home) => Open(name, home, options, memories));
    }

    internal static IPort Open(string name, NetworkNamespace home, AfXdpOptions? options = null, AfXdpMemories? memories = null, TrafficRules? take = null, TrafficRules? leave = null) =>
        new AfXdpPortFactory(name)
        {
            Options = (options ?? new AfXdpOptions()) with { NetworkNamespace = home.Name },
            Memories = memories ?? new AfXdpMemories(),
            Take = take ?? [],
            Leave = leave ?? [],
        }.Open(name);

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
