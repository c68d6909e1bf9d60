using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

public class CaptureFileWriterTests
{
    [Fact]
    public void Write_Frames_MakesExactlyTheseBytes()
    {
        byte[] expected = new CaptureBuilder().U32(0xA1B2_3C4D).U16(2).U16(4).U32(0).U32(0).U32(262_144).U32(1)
            .U32(1).U32(999_999_999).U32(3).U32(3).Bytes(7, 8, 9).U32(0).U32(0).U32(0).U32(0).U32(2).U32(5).U32(1).U32(60).Bytes(6).ToArray();
        Assert.Equal(expected, Written(262_144, writer =>
        {
            writer.Write(1_999_999_999, [7, 8, 9]);
            writer.Write(0, []);
            writer.Write(2_000_000_005, [6], 60);
            Assert.Equal(3, writer.Frames);
        }));
    }

    [Theory]
    [InlineData(-1, 0u, 0u)]
    [InlineData(long.MinValue, 0u, 0u)]
    [InlineData(4_294_967_295_999_999_999, uint.MaxValue, 999_999_999u)]
    [InlineData(4_294_967_296_000_000_000, uint.MaxValue, 999_999_999u)]
    [InlineData(long.MaxValue, uint.MaxValue, 999_999_999u)]
    public void Write_TimeOutsideOfTheFormat_IsTheNearerEnd(long time, uint seconds, uint fraction)
    {
        byte[] expected = new CaptureBuilder().FileHeader(0xA1B2_3C4D).Record(seconds, fraction, [1]).ToArray();
        byte[] written = Written(65_535, writer => writer.Write(time, [1]));
        Assert.Equal(expected, written);
    }

    [Fact]
    public void Write_FrameLongerThanTheSnapLength_KeepsItsBeginningAndItsLength()
    {
        byte[] frame = TestFrames.Make(1, 200);
        var read = Assert.Single(CaptureBuilder.Read(Written(64, writer => writer.Write(5, frame))));
        Assert.Equal(frame[..64], read.Bytes);
        Assert.Equal(200, read.OriginalBytes);
    }

    [Fact]
    public void Write_FramesLongerThanTheBuffer_AreWhole()
    {
        byte[][] frames = [.. Enumerable.Range(0, 6).Select(i => TestFrames.Make(i, i % 2 == 0 ? 262_144 : 65_000))];
        byte[] file = Written(262_144, writer =>
        {
            foreach (byte[] frame in frames)
                writer.Write(0, frame);
        });
        var read = CaptureBuilder.Read(file);
        Assert.Equal(frames.Length, read.Count);
        Assert.All(frames.Zip(read), pair => Assert.True(pair.First.AsSpan().SequenceEqual(pair.Second.Bytes)));
    }

    [Fact]
    public void Write_Steady_AllocatesNothing()
    {
        using var writer = new CaptureFileWriter(Stream.Null);
        byte[] frame = TestFrames.Make(1, 1000);
        Allocations.AssertNone(1000, () => writer.Write(5, frame));
    }

    [Fact]
    public void Write_BadArguments_Throw()
    {
        using var writer = new CaptureFileWriter(Stream.Null);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Write(0, [1, 2], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CaptureFileWriter(Stream.Null, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CaptureFileWriter(Stream.Null, 262_145));
        writer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => writer.Write(0, []));
    }

    [Fact]
    public void Flush_Frames_AreInTheStreamThen()
    {
        var stream = new MemoryStream();
        using var writer = new CaptureFileWriter(stream);
        writer.Write(7, [1, 2]);
        Assert.Equal(0, stream.Length);
        writer.Flush();
        Assert.Equal([1, 2], Assert.Single(CaptureBuilder.Read(stream.ToArray())).Bytes);
    }

    [Fact]
    public void Dispose_DiskFull_ThrowsOnceAndCloses()
    {
        var disk = new FullDisk(10);
        var writer = new CaptureFileWriter(disk);
        Assert.Throws<IOException>(writer.Dispose);
        Assert.False(disk.CanWrite);
        writer.Dispose();
    }

    private static byte[] Written(int snapLength, Action<CaptureFileWriter> write)
    {
        var stream = new MemoryStream();
        using (var writer = new CaptureFileWriter(stream, snapLength, leaveOpen: true))
            write(writer);
        return stream.ToArray();
    }
}
