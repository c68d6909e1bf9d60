using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.Tests.Pipeline;

/// <summary>Packets that were counted as transmitted and did not leave: dropped by name, without any counter that goes back before the end.</summary>
public sealed class WithdrawnPacketsTests
{
    [Fact]
    public void CountWithdrawn_WhileForwarding_TakesThePlaceOfWhatIsTransmittedNext()
    {
        var counters = new WorkerCounters();
        Transmit(counters, 10);
        counters.CountWithdrawn(6, DropReason.LinkDown);
        counters.CountWithdrawn(3, DropReason.TransmitRingFull);
        AssertIs(counters, transmitted: 10, linkDown: 0, ringFull: 0);
        Transmit(counters, 4);
        Assert.Equal(4, counters.Read().DroppedByReason.Sum());
        Assert.Equal(10, counters.Read().Transmitted);
        Transmit(counters, 20);
        AssertIs(counters, transmitted: 25, linkDown: 6, ringFull: 3);
    }

    [Fact]
    public void SettleWithdrawn_AtTheEnd_DropsWhatIsLeft()
    {
        var counters = new WorkerCounters();
        Transmit(counters, 10);
        counters.CountWithdrawn(10, DropReason.LinkDown);
        counters.SettleWithdrawn();
        AssertIs(counters, transmitted: 0, linkDown: 10, ringFull: 0);
        counters.SettleWithdrawn();
        AssertIs(counters, transmitted: 0, linkDown: 10, ringFull: 0);
    }

    private static void AssertIs(WorkerCounters counters, long transmitted, long linkDown, long ringFull)
    {
        Accounting read = counters.Read();
        Assert.True(read.IsBalanced, read.ToString());
        Assert.Equal((transmitted, linkDown, ringFull), (read.Transmitted, read.DroppedFor(DropReason.LinkDown), read.DroppedFor(DropReason.TransmitRingFull)));
    }

    private static void Transmit(WorkerCounters counters, int count)
    {
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), 0);
        batch.SetMemory(new byte[64 * count]);
        for (int i = 0; i < count; i++)
        {
            Assert.True(batch.Add(64 * i, 60));
            batch.Verdicts[i] = Verdict.Transmit;
        }

        counters.CountBatch(batch, received: count, originated: 0, released: 0);
    }
}
