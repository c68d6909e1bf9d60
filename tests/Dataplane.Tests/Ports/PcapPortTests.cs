using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

public sealed class PcapPortTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pcap-port-").FullName;
    private readonly PacketBatch _batch = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Receive_File_GivesFramesInOrderAndThenIsGone()
    {
        byte[][] frames = [.. Enumerable.Range(0, 700).Select(i => TestFrames.Make(i, 40 + (i * 7 % 1500)))];
        using PcapPort port = Port(Capture(frames));
        Assert.Equal(LinkState.Up, port.Link);
        Assert.Equal(frames, TestFrames.ReceiveAll(port));
        Assert.Equal(LinkState.Gone, port.Link);
        Assert.Null(port.Fault);
        port.ReadStatistics(out PortStatistics statistics);
        Assert.Equal((700, frames.Sum(frame => (long)frame.Length)), (statistics.ReceivedPackets, statistics.ReceivedBytes));
    }

    [Fact]
    public void Receive_LongestFrames_ComeOneByOneWithHeadroom()
    {
        byte[][] frames = [.. Enumerable.Range(0, 3).Select(i => TestFrames.Make(i, CaptureFileReader.MaxFrameBytes))];
        using PcapPort port = Port(Capture(frames));
        foreach (byte[] frame in frames)
        {
            Assert.Equal(1, Receive(port));
            Assert.True(_batch.Offsets[0] >= 64);
            Assert.True(_batch.Frame(0).SequenceEqual(frame));
            port.Release(_batch);
        }

        Assert.Equal(0, Receive(port));
    }

    [Fact]
    public void Receive_BeforeRelease_LeavesEarlierFramesAlone()
    {
        byte[][] frames = [.. Enumerable.Range(0, 600).Select(i => TestFrames.Make(i, 1514))];
        using PcapPort port = Port(Capture(frames));
        var first = new PacketBatch();
        Assert.Equal(256, port.Receive(first));
        int second = Receive(port);
        Assert.True(second > 0);
        Assert.Equal(frames[..256], TestFrames.Copy(first));
        Assert.Equal(frames[256..(256 + second)], TestFrames.Copy(_batch));
        port.Release(first);
        port.Release(_batch);
        Assert.Equal(600 - 256 - second, TestFrames.ReceiveAll(port).Count);
    }

    [Fact]
    public void NextTimestampNs_TwoFiles_CanBeMergedByTime()
    {
        using PcapPort a = Port(Timed((10, 1), (20, 2), (20, 3), (50, 4))), b = Port(Timed((15, 11), (20, 12), (60, 13)));
        var merged = new List<(long, byte)>();
        while (Math.Min(a.NextTimestampNs, b.NextTimestampNs) is long now and not PcapPort.NoTimestamp)
        {
            PcapPort port = a.NextTimestampNs <= b.NextTimestampNs ? a : b;
            port.ReceiveUntilNs = now;
            Receive(port);
            merged.AddRange(TestFrames.Copy(_batch).Select(frame => (now, frame[0])));
            port.Release(_batch);
        }

        Assert.Equal([(10, 1), (15, 11), (20, 2), (20, 3), (20, 12), (50, 4), (60, 13)], merged);
        Assert.Equal(LinkState.Gone, a.Link);
    }

    [Fact]
    public void MostPerReceive_One_GivesOneFrameAtATime()
    {
        using PcapPort port = Port(Capture([1], [2], [3]));
        port.MostPerReceive = 1;
        Assert.Equal(1, Receive(port));
        port.Release(_batch);
        Assert.Equal([[2], [3]], TestFrames.ReceiveAll(port));
        Assert.Throws<ArgumentOutOfRangeException>(() => port.MostPerReceive = 257);
    }

    [Fact]
    public void Receive_DamagedFile_GivesTheGoodFramesAndNamesTheFault()
    {
        byte[] file = Capture([1], [2], [3]);
        using PcapPort port = Port(file[..^1]);
        Assert.Equal([[1], [2]], TestFrames.ReceiveAll(port));
        Assert.Equal(LinkState.Gone, port.Link);
        Assert.IsType<CaptureFormatException>(port.Fault);
        port.ReadStatistics(out PortStatistics statistics);
        Assert.Equal(1, statistics.Errors);
    }

    [Fact]
    public void Transmit_Frames_AreWrittenWithTheTimeOfTheirBatch()
    {
        string path = Path.Combine(_folder, "out.pcap");
        byte[] tooLong = new byte[CaptureFileReader.MaxFrameBytes + 1];
        using (PcapPort port = new PcapPortFactory("", path) { OutputTimeOffsetNs = 1000 }.Open("wan"))
        {
            Assert.Equal(LinkState.Up, port.Link);
            PacketBatch batch = TestFrames.Batch([1, 2], tooLong, [3]);
            short[] all = TestFrames.All(batch);
            Assert.Equal(2, port.Transmit(batch, all));
            Assert.Equal(DropReason.FrameTooLong, batch.ReasonOf(1));
            port.Flush();
            port.ReadStatistics(out PortStatistics statistics);
            Assert.Equal((2, 3, 1), (statistics.TransmittedPackets, statistics.TransmittedBytes, statistics.TransmitRefused));
        }

        Assert.Equivalent(new (long, byte[], int, int)[] { (1000, [1, 2], 2, 0), (1000, [3], 1, 0) }, CaptureBuilder.Read(File.ReadAllBytes(path)), strict: true);
    }

    [Fact]
    public void Transmit_InputAtItsEnd_StillWrites()
    {
        var output = new MemoryStream();
        using (var port = new PcapPort(new CaptureFileReader(new MemoryStream(Capture())), new CaptureFileWriter(output), default))
        {
            Assert.Equal(LinkState.Gone, port.Link);
            Assert.Equal(1, port.Transmit(TestFrames.Batch([7]), [0]));
        }

        Assert.Equal([7], Assert.Single(CaptureBuilder.Read(output.ToArray())).Bytes);
    }

    [Fact]
    public void Transmit_DiskFull_RefusesTheRestAndNamesTheFault()
    {
        var port = new PcapPort(null, new CaptureFileWriter(new FullDisk(70_000)), default);
        PacketBatch batch = TestFrames.Batch(Enumerable.Range(0, 200).Select(_ => new byte[1000]).ToArray());
        int accepted = port.Transmit(batch, TestFrames.All(batch));
        Assert.InRange(accepted, 65, 199);
        Assert.Equal(200 - accepted, Enumerable.Range(0, 200).Count(packet => batch.ReasonOf(packet) == DropReason.LinkDown));
        Assert.Equal("No space left on device", port.Fault!.Message);
        port.Dispose();
        port.Dispose();
    }

    [Fact]
    public void Open_BadPaths_AreIoErrorsThatNameTheFile()
    {
        string path = Path.Combine(_folder, "in.pcap");
        Assert.Contains(path, Assert.ThrowsAny<IOException>(() => new PcapPortFactory(path).Open("wan")).Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, Capture([1]));
        Assert.Contains("same file", Assert.Throws<IOException>(() => new PcapPortFactory(path, _folder + "/./in.pcap").Open("wan")).Message, StringComparison.Ordinal);
        Assert.Throws<IOException>(() => new PcapPortFactory(path, _folder).Open("wan"));
        File.WriteAllBytes(path, new byte[100]);
        Assert.Throws<CaptureFormatException>(() => ((IPortFactory)new PcapPortFactory(path)).Open("wan"));
        // Nothing was left open by the attempts: the file can be taken over.
        using FileStream exclusive = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    [Fact]
    public void Open_NoAddressGiven_DerivesItFromTheName()
    {
        using PcapPort wan = new PcapPortFactory().Open("wan"), given = new PcapPortFactory { Mac = MacAddress.Parse("02:00:00:00:00:09"), Mtu = 9000 }.Open("wan");
        Assert.True(wan.Mac.IsUnicast);
        Assert.Equal("02:00:00:00:00:09", given.Mac.ToString());
        Assert.Equal((1500, 9000), (wan.Mtu, given.Mtu));
        Assert.Equal(0, Receive(wan));
        Assert.Equal(1, wan.Transmit(TestFrames.Batch([1]), [0]));
        Assert.Equal(LinkState.Up, wan.Link);
    }

    [Fact]
    public void ReceiveAndTransmit_Steady_AllocateNothing()
    {
        byte[][] frames = [.. Enumerable.Range(0, 4000).Select(i => new byte[100])];
        using var port = new PcapPort(new CaptureFileReader(new MemoryStream(Capture(frames))), new CaptureFileWriter(Stream.Null), default) { MostPerReceive = 16 };
        short[] all = [.. Enumerable.Range(0, 256).Select(number => (short)number)];
        Allocations.AssertNone(20, () =>
        {
            int count = Receive(port);
            if (count != 16 || port.Transmit(_batch, all.AsSpan(0, count)) != count)
                Assert.Fail($"{count} frames");
            port.Release(_batch);
        });
    }

    private static PcapPort Port(byte[] capture) => new(new CaptureFileReader(new MemoryStream(capture)), null, default);

    private static byte[] Capture(params IEnumerable<byte[]> frames)
    {
        var builder = new CaptureBuilder().FileHeader();
        foreach (byte[] frame in frames)
            builder.Record(1, 2, frame);
        return builder.ToArray();
    }

    private static byte[] Timed(params (uint Ns, byte Mark)[] frames)
    {
        var builder = new CaptureBuilder().FileHeader(0xA1B2_3C4D);
        foreach ((uint ns, byte mark) in frames)
            builder.Record(0, ns, [mark]);
        return builder.ToArray();
    }

    private int Receive(PcapPort port)
    {
        _batch.Clear(new PortId(0), 0);
        return port.Receive(_batch);
    }
}
