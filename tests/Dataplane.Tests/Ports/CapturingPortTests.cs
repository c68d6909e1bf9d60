using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

public class CapturingPortTests
{
    [Fact]
    public void ReceiveAndTransmit_Frames_AreInTheFilesOfTheirDirection()
    {
        MemoryStream received = new(), transmitted = new();
        var memory = new MemoryPort(new MemoryPortOptions { RingSlots = 2 });
        using (var port = new CapturingPort(memory.Open("p"), new CaptureFileWriter(received), new CaptureFileWriter(transmitted)) { TimeOffsetNs = 5 })
        {
            memory.TrySend([1, 2]);
            memory.TrySend([3]);
            Assert.Equal([[1, 2], [3]], TestFrames.ReceiveAll(port, nowNs: 1000));
            PacketBatch batch = TestFrames.Batch([4], [5], [6], [7]);
            // Two fit the ring; those refused were not sent and are not captured.
            Assert.Equal(2, port.Transmit(batch, [2, 1, 0]));
            Assert.Equal(4, port.CapturedFrames);
        }

        Assert.Equivalent(new (long, byte[], int, int)[] { (1005, [1, 2], 2, 0), (1005, [3], 1, 0) }, CaptureBuilder.Read(received.ToArray()), strict: true);
        Assert.Equivalent(new (long, byte[], int, int)[] { (5, [6], 1, 0), (5, [5], 1, 0) }, CaptureBuilder.Read(transmitted.ToArray()), strict: true);
        Assert.False(memory.IsOpen);
    }

    [Fact]
    public void OneFile_ForBothDirections_IsInOrder()
    {
        var stream = new MemoryStream();
        var memory = new MemoryPort();
        var writer = new CaptureFileWriter(stream);
        using (var port = new CapturingPort(memory.Open("p"), writer, writer))
        {
            port.Transmit(TestFrames.Batch([1]), [0]);
            memory.TrySend([2]);
            TestFrames.ReceiveAll(port);
            port.Transmit(TestFrames.Batch([3]), [0]);
        }

        Assert.Equal([[1], [2], [3]], CaptureBuilder.Read(stream.ToArray()).Select(frame => frame.Bytes));
    }

    [Fact]
    public void DiskFull_EndsTheCaptureAndNotTheTraffic()
    {
        var memory = new MemoryPort();
        var port = new CapturingPort(memory.Open("p"), new CaptureFileWriter(new FullDisk(70_000)), null);
        byte[][] frames = [.. Enumerable.Range(0, 300).Select(i => TestFrames.Make(i, 1000))];
        foreach (byte[] frame in frames)
            memory.TrySend(frame);
        Assert.Equal(frames, TestFrames.ReceiveAll(port));
        Assert.Equal("No space left on device", port.Fault!.Message);
        Assert.Equal(300, port.CapturedFrames + port.MissedFrames);
        Assert.InRange(port.MissedFrames, 1, 299);
        port.Dispose();
    }

    [Fact]
    public void NoFiles_EverythingPasses()
    {
        var memory = new MemoryPort();
        using var port = new CapturingPort(memory.Open("p"), null, null);
        var waker = new CountingWaker();
        port.SetWaker(waker);
        Assert.Empty(TestFrames.ReceiveAll(port));
        memory.TrySend([1]);
        Assert.Equal(1, waker.Count);
        Assert.Single(TestFrames.ReceiveAll(port));
        port.Transmit(TestFrames.Batch([1]), [0]);
        port.Flush();
        Assert.Equal(1, memory.PendingReceived);
        port.ReadStatistics(out PortStatistics statistics);
        Assert.Equal((1, 1), (statistics.ReceivedPackets, statistics.TransmittedPackets));
        Assert.Equal((memory.Mac, memory.Mtu, LinkState.Up, 0), (port.Mac, port.Mtu, port.Link, port.CapturedFrames));
    }

    [Fact]
    public void WrappingPortFactory_Open_WrapsAndClosesOnFailure()
    {
        var memory = new MemoryPort();
        var factory = new WrappingPortFactory(memory, inner => new FaultyPort(new CapturingPort(inner, null, null), 1));
        Assert.Equal("memory", factory.Kind);
        using (IPort port = factory.Open("p"))
            Assert.IsType<FaultyPort>(port);
        Assert.False(memory.IsOpen);
        Assert.Throws<ArgumentOutOfRangeException>(() => new WrappingPortFactory(memory, inner => new FaultyPort(inner, 1, new FaultOptions { Loss = 2 })).Open("p"));
        Assert.False(memory.IsOpen);
    }
}
