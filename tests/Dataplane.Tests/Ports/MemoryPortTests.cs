using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

public class MemoryPortTests
{
    private readonly PacketBatch _batch = new();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1514)]
    [InlineData(1920)]
    public void TrySend_Frame_IsReceivedInPlaceWithHeadroom(int length)
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        byte[] frame = TestFrames.Make(1, length);
        Assert.True(port.TrySend(frame));
        Assert.Equal(1, Receive(end));
        Assert.Equal(frame, _batch.Frame(0));
        Assert.True(_batch.Offsets[0] >= 128);
        _batch.Memory.Slice(_batch.Offsets[0] - 128, 128).Fill(0xEE);
        Assert.Equal(frame, _batch.Frame(0));
        Assert.Equal(1, port.PendingSent);
        end.Release(_batch);
        Assert.Equal(0, port.PendingSent);
        Assert.Equal(0, Receive(end));
    }

    [Fact]
    public void TrySend_FullRing_IsRefusedUntilTheEngineReleases()
    {
        var port = new MemoryPort(new MemoryPortOptions { RingSlots = 4 });
        using IPort end = port.Open("p");
        for (int i = 0; i < 4; i++)
            Assert.True(port.TrySend(TestFrames.Make(i, 100)));
        Assert.False(port.TrySend([1]));
        Assert.Equal(4, Receive(end));
        Assert.False(port.TrySend([1]));
        Assert.Equal(2, port.RefusedFrames);
        end.Release(_batch);
        Assert.True(port.TrySend([1]));
        Assert.Equal(5, port.SentFrames);
    }

    [Fact]
    public void SendMany_MoreThanTheRingHolds_SendsTheFirst()
    {
        var port = new MemoryPort(new MemoryPortOptions { RingSlots = 8 });
        using IPort end = port.Open("p");
        int[] lengths = [60, 64, 1500, 0, 65, 63, 1, 1920, 60, 60];
        byte[][] frames = [.. lengths.Select((length, number) => TestFrames.Make(number, length))];
        Assert.Equal(8, port.SendMany(frames.SelectMany(frame => frame).ToArray(), lengths));
        Assert.Equal(2, port.RefusedFrames);
        Assert.Equal(frames[..8], TestFrames.ReceiveAll(end));
    }

    [Fact]
    public void SendMany_BadArguments_ThrowAndSendNothing()
    {
        var port = new MemoryPort();
        Assert.Throws<ArgumentException>(() => port.SendMany(new byte[10], [5, 6]));
        Assert.Throws<ArgumentException>(() => port.SendMany(new byte[4000], [60, 1921]));
        Assert.Throws<ArgumentException>(() => port.SendMany(new byte[10], [5, -1]));
        Assert.Throws<ArgumentException>(() => port.TrySend(new byte[1921]));
        Assert.Equal(0, port.PendingSent);
        Assert.Equal(0, port.RefusedFrames);
    }

    [Fact]
    public void Transmit_Frames_AreSeenAfterFlushOnly()
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        byte[][] frames = [TestFrames.Make(0, 60), TestFrames.Make(1, 1514), TestFrames.Make(2, 9), TestFrames.Make(3, 64)];
        PacketBatch batch = TestFrames.Batch(frames);
        Assert.Equal(3, end.Transmit(batch, [3, 0, 1]));
        Assert.Equal(0, port.PendingReceived);
        end.Flush();
        Assert.Equal(3, port.PendingReceived);
        byte[] buffer = new byte[2048];
        foreach (int number in (int[])[3, 0, 1])
        {
            Assert.True(port.TryReceive(buffer, out int length));
            Assert.Equal(frames[number], buffer[..length]);
        }

        Assert.False(port.TryReceive(buffer, out _));
        Assert.Equal(3, port.ReceivedFrames);
    }

    [Fact]
    public void Transmit_FullRing_MarksExactlyTheOthers()
    {
        var port = new MemoryPort(new MemoryPortOptions { RingSlots = 4 });
        using IPort end = port.Open("p");
        // The frame that is too long must not use up the place of one that fits.
        PacketBatch batch = TestFrames.Batch(TestFrames.Make(0, 1921), TestFrames.Make(1, 60), TestFrames.Make(2, 61), TestFrames.Make(3, 700),
            TestFrames.Make(4, 62), TestFrames.Make(5, 63), TestFrames.Make(6, 1921));
        Assert.Equal(4, end.Transmit(batch, TestFrames.All(batch)));
        end.Flush();
        DropReason[] expected =
        [
            DropReason.FrameTooLong, DropReason.None, DropReason.None, DropReason.None, DropReason.None, DropReason.TransmitRingFull, DropReason.FrameTooLong,
        ];
        Assert.Equal(expected, Enumerable.Range(0, 7).Select(batch.ReasonOf));
        end.ReadStatistics(out PortStatistics statistics);
        Assert.Equal(4, statistics.TransmittedPackets);
        Assert.Equal(60 + 61 + 700 + 62, statistics.TransmittedBytes);
        Assert.Equal(3, statistics.TransmitRefused);
        using ReceivedFrames received = port.ReceiveMany();
        Assert.Equal(4, received.Count);
        Assert.Equal(TestFrames.Make(4, 62), received[3]);
    }

    [Fact]
    public void Transmit_FrameAtTheVeryEndOfItsMemory_IsNotReadBeyond()
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        byte[] memory = TestFrames.Make(7, 100);
        var batch = new PacketBatch();
        batch.SetMemory(memory);
        batch.Add(0, 60);
        batch.Add(40, 60);
        batch.Add(99, 1);
        batch.Add(100, 0);
        Assert.Equal(4, end.Transmit(batch, [0, 1, 2, 3]));
        end.Flush();
        using ReceivedFrames received = port.ReceiveMany();
        Assert.Equal(memory.AsSpan(0, 60), received[0]);
        Assert.Equal(memory.AsSpan(40), received[1]);
        Assert.Equal(memory.AsSpan(99), received[2]);
        Assert.Equal(0, received[3].Length);
    }

    [Fact]
    public void IsDrained_FrameSent_OnlyAfterReleaseAndAnotherLook()
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        Assert.False(port.IsDrained);
        Assert.Equal(0, Receive(end));
        Assert.True(port.IsDrained);
        port.TrySend([1]);
        Assert.False(port.IsDrained);
        Assert.Equal(1, Receive(end));
        Assert.False(port.IsDrained);
        end.Release(_batch);
        Assert.False(port.IsDrained);
        Assert.Equal(0, Receive(end));
        Assert.True(port.IsDrained);
    }

    [Fact]
    public void ReceiveMany_NotDisposed_IsToldInsteadOfFillingTheRing()
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        PacketBatch batch = TestFrames.Batch([1], [2]);
        end.Transmit(batch, [0, 1]);
        end.Flush();
        ReceivedFrames first = port.ReceiveMany(1);
        Assert.Throws<InvalidOperationException>(() => port.TryReceive(new byte[1], out _));
        first.Dispose();
        first.Dispose();
        Assert.True(port.TryReceive(new byte[1], out _));
        Assert.Equal(0, port.PendingReceived);
    }

    [Fact]
    public void TryReceive_SmallBuffer_GivesTheWholeLength()
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        end.Transmit(TestFrames.Batch([1, 2, 3]), [0]);
        end.Flush();
        byte[] buffer = new byte[2];
        Assert.True(port.TryReceive(buffer, out int length));
        Assert.Equal(3, length);
        Assert.Equal([1, 2], buffer);
    }

    [Theory]
    [InlineData(LinkState.Down)]
    [InlineData(LinkState.Gone)]
    public void SetLink_NotUp_RefusesBothWaysAndWakesTheWorker(LinkState state)
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        var waker = new CountingWaker();
        end.SetWaker(waker);
        Assert.True(port.TrySend([1]));
        port.SetLink(state);
        Assert.Equal(state, end.Link);
        Assert.Equal(1, waker.Count);
        Assert.False(port.TrySend([2]));
        Assert.Equal(0, port.SendMany([1, 2], [1, 1]));
        PacketBatch batch = TestFrames.Batch([1], [2]);
        Assert.Equal(0, end.Transmit(batch, [0, 1]));
        Assert.Equal(DropReason.LinkDown, batch.ReasonOf(1));
        Assert.Equal(1, Receive(end));
        port.SetLink(LinkState.Up);
        Assert.True(port.TrySend([2]));
    }

    [Fact]
    public void ReadStatistics_ReceivedFrames_AreCountedWhenHandedOver()
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        for (int i = 0; i < 300; i++)
            port.TrySend(new byte[i]);
        end.ReadStatistics(out PortStatistics before);
        Assert.Equal(0, before.ReceivedPackets);
        Assert.Equal(300, TestFrames.ReceiveAll(end).Count);
        end.ReadStatistics(out PortStatistics after);
        Assert.Equal(300, after.ReceivedPackets);
        Assert.Equal(299 * 300 / 2, after.ReceivedBytes);
        Assert.Equal(0, after.KernelDrops + after.Errors + after.TransmitRefused);
    }

    [Fact]
    public void Open_Twice_ThrowsUntilClosed()
    {
        var port = new MemoryPort();
        IPort end = port.Open("wan");
        Assert.Contains("'wan'", Assert.Throws<InvalidOperationException>(() => port.Open("lan")).Message, StringComparison.Ordinal);
        port.TrySend([1]);
        port.TrySend([2]);
        Assert.Equal(2, Receive(end));
        end.Transmit(_batch, [0]);
        end.Dispose();
        end.Dispose();
        Assert.Equal(1, port.PendingReceived);
        Assert.Equal(0, port.PendingSent);
        Assert.False(port.IsOpen);
        port.TrySend([3]);
        using IPort again = port.Open("lan");
        Assert.Equal([[3]], TestFrames.ReceiveAll(again));
    }

    [Fact]
    public void Mac_NotGiven_IsDerivedFromTheNameAndUnicast()
    {
        using IPort wan = new MemoryPort().Open("wan"), again = new MemoryPort().Open("wan"), lan = new MemoryPort().Open("lan");
        Assert.Equal(wan.Mac, again.Mac);
        Assert.NotEqual(wan.Mac, lan.Mac);
        Assert.True(wan.Mac.IsUnicast && wan.Mac.IsLocallyAdministered);
        var given = new MemoryPort(new MemoryPortOptions { Mac = MacAddress.Parse("02:00:00:00:00:07"), Mtu = 1400 });
        using IPort end = given.Open("x");
        Assert.Equal("02:00:00:00:00:07", end.Mac.ToString());
        Assert.Equal(1400, end.Mtu);
    }

    [Fact]
    public void CreatePair_TwoEnds_ExchangeFramesBothWays()
    {
        (MemoryPort first, MemoryPort second) = MemoryPort.CreatePair();
        using IPort a = first.Open("a"), b = second.Open("b");
        PacketBatch batch = TestFrames.Batch(TestFrames.Make(1, 60), TestFrames.Make(2, 1000));
        Assert.Equal(2, a.Transmit(batch, [0, 1]));
        a.Flush();
        Assert.Equal([TestFrames.Make(1, 60), TestFrames.Make(2, 1000)], TestFrames.ReceiveAll(b));
        Assert.Empty(TestFrames.ReceiveAll(a));
        b.Transmit(batch, [1]);
        b.Flush();
        Assert.Equal([TestFrames.Make(2, 1000)], TestFrames.ReceiveAll(a));
        Assert.NotEqual(a.Mac, b.Mac);
        Assert.True(first.IsPaired);
        Assert.Throws<InvalidOperationException>(() => first.TrySend([1]));
        Assert.Throws<InvalidOperationException>(() => second.ReceiveMany());
        second.SetLink(LinkState.Down);
        Assert.Equal(LinkState.Down, a.Link);
    }

    [Theory]
    [InlineData(3, 2048, 1500)]
    [InlineData(0, 2048, 1500)]
    [InlineData(131_072, 2048, 1500)]
    [InlineData(1024, 2000, 1500)]
    [InlineData(1024, 256, 100)]
    [InlineData(1024, 2048, 1899)]
    [InlineData(1024, 2048, 67)]
    [InlineData(65_536, 32_768, 1500)]
    public void Constructor_OptionOutOfRange_Throws(int slots, int slotBytes, int mtu) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new MemoryPort(new MemoryPortOptions { RingSlots = slots, SlotBytes = slotBytes, Mtu = mtu }));

    [Fact]
    public void PacketsWay_Steady_AllocatesNothing()
    {
        var port = new MemoryPort();
        using IPort end = port.Open("p");
        byte[] frames = new byte[256 * 100];
        int[] lengths = [.. Enumerable.Repeat(100, 256)];
        short[] all = [.. Enumerable.Range(0, 256).Select(number => (short)number)];
        Allocations.AssertNone(200, () =>
        {
            port.SendMany(frames, lengths);
            int received = Receive(end);
            end.Transmit(_batch, all.AsSpan(0, received));
            end.Flush();
            end.Release(_batch);
            port.TrySend(frames.AsSpan(0, 60));
            received += Receive(end);
            end.Release(_batch);
            using ReceivedFrames back = port.ReceiveMany();
            foreach (ReadOnlySpan<byte> frame in back)
                received += frame.Length - 100;
            if (received != 257)
                Assert.Fail($"{received} of 257 frames");
        });
    }

    private int Receive(IPort end)
    {
        _batch.Clear(new PortId(0), 0);
        return end.Receive(_batch);
    }
}
