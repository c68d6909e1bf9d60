using System.Diagnostics;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Commands;

/// <summary>Captures in one file after another: names by tcpdump's rule, each file whole by itself, no packet lost or twice.</summary>
public sealed class CaptureFilesTests : IDisposable
{
    private static readonly DateTimeOffset s_start = new(2024, 2, 29, 13, 5, 9, TimeSpan.FromHours(2));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.pcapng", 100L, null, null, 0, "a.pcapng")]
    [InlineData("a.pcapng", 100L, null, null, 12, "a.pcapng12")]
    [InlineData("a.pcapng", 100L, null, 10, 0, "a.pcapng0")]
    [InlineData("a.pcapng", 100L, null, 10, 9, "a.pcapng9")]
    [InlineData("a.pcapng", 100L, null, 11, 3, "a.pcapng03")]
    [InlineData("a.pcapng", 100L, null, 101, 100, "a.pcapng100")]
    [InlineData("a.pcapng", 100L, null, 1, 0, "a.pcapng")]
    [InlineData("a-%Y%m%d-%H%M%S.pcapng", null, 60, null, 0, "a-20240229-130509.pcapng")]
    [InlineData("a-%Y.pcapng", null, 60, 5, 0, "a-2024.pcapng")]
    [InlineData("a-%Y.pcapng", 100L, 60, 5, 2, "a-2024.pcapng2")]
    [InlineData("100%Y", 100L, null, null, 0, "100%Y")]
    [InlineData("%a %A %b %B %d %e %F %H %I %j %k %l %m %M %p %R %s %S %T %u %w %y %z %%", null, 60, null, 0,
        "Thu Thursday Feb February 29 29 2024-02-29 13 01 060 13  1 02 05 PM 13:05 1709204709 09 13:05:09 4 4 24 +0200 %")]
    public void NameOf_File_IsAsTcpdumpCallsIt(string path, long? bytes, int? seconds, int? files, int number, string expected)
    {
        var rotation = new CaptureRotation(path, bytes, seconds, files);
        Assert.Null(rotation.Problem);
        Assert.Equal(expected, rotation.NameOf(number, s_start));
    }

    [Theory]
    [InlineData("1", 1_000_000L)]
    [InlineData("100", 100_000_000L)]
    [InlineData("2k", 2048L)]
    [InlineData("3M", 3L << 20)]
    [InlineData("1g", 1L << 30)]
    [InlineData("", null)]
    [InlineData("0", null)]
    [InlineData("k", null)]
    [InlineData("-1", null)]
    [InlineData("1t", null)]
    [InlineData("9223372036854775807", null)]
    public void ReadSize_Text_IsReadAsTcpdumpDoes(string text, long? expected) => Assert.Equal(expected, CaptureRotation.ReadSize(text));

    [Theory]
    [InlineData(1, 64L << 10, null)]
    [InlineData(7, 4096L, null)]
    [InlineData(4096, 4096L, 3)]
    [InlineData(100_000, 1L, 4)]
    public async Task Copy_BySize_WritesWholeFilesAndKeepsTheLast(int partBytes, long fileBytes, int? files)
    {
        (byte[] stream, List<byte[]> packets) = await CapturedAsync(120);
        var rotation = new CaptureRotation(_folder["cap"], fileBytes, Files: files);
        await using (var writer = new CaptureFiles(rotation, new SteppedTime()))
        {
            await writer.CopyAsync(new Parts(stream, partBytes));
        }

        string[] written = Directory.GetFiles(_folder[""], "cap*");
        List<byte[]>[] read = [.. written.Select(Read)];
        Assert.All(written, AssertOwnersAlone);
        Assert.All(read, file => Assert.NotEmpty(file));
        if (files is { } count)
        {
            // The end of what was sent, and no more files than there may be.
            Assert.Equal(Enumerable.Range(0, count).Select(number => _folder["cap" + number]).Order(), written.Order());
            List<string> kept = [.. read.SelectMany(file => file).Select(Convert.ToHexString).Order()];
            Assert.Equal(packets.TakeLast(kept.Count).Select(Convert.ToHexString).Order(), kept);
            return;
        }

        IEnumerable<byte[]> all = Enumerable.Range(0, written.Length).SelectMany(number => Read(rotation.NameOf(number, s_start)));
        Assert.Equal(packets.Select(Convert.ToHexString), all.Select(Convert.ToHexString));
        Assert.All(written, file => Assert.InRange(new FileInfo(file).Length, 100, fileBytes + 2048));
    }

    [Fact]
    public async Task Copy_ByTime_GoesOnInTheNextFileUntilThereAreSoMany()
    {
        (byte[] stream, List<byte[]> packets) = await CapturedAsync(30);
        var rotation = new CaptureRotation(_folder["cap-%s"], Seconds: 10, Files: 3);
        await using (var writer = new CaptureFiles(rotation, new SteppedTime()))
        {
            await writer.CopyAsync(new MemoryStream(stream));
        }

        // The clock goes on by a second with every look, which is one for each packet, and one at the start and with every file.
        string[] written = [.. Directory.GetFiles(_folder[""], "cap-*").Order()];
        Assert.Equal(3, written.Length);
        List<byte[]>[] read = [.. written.Select(Read)];
        Assert.Equal(packets.Select(Convert.ToHexString), read.SelectMany(file => file).Select(Convert.ToHexString));
        Assert.All(read[..2], file => Assert.InRange(file.Count, 9, 10));
        Assert.True(read[2].Count > 10, "what comes behind the last period stays in the last file");
    }

    [Fact]
    public async Task Copy_OfAStreamThatBreaksOff_LeavesWholePackets()
    {
        (byte[] stream, List<byte[]> packets) = await CapturedAsync(3);
        await using (var writer = new CaptureFiles(new CaptureRotation(_folder["cap"]), TimeProvider.System))
        {
            await writer.CopyAsync(new MemoryStream(stream, 0, stream.Length - 3));
        }

        Assert.Equal(packets.SkipLast(1).Select(Convert.ToHexString), Read(_folder["cap"]).Select(Convert.ToHexString));
        await using var other = new CaptureFiles(new CaptureRotation(_folder["other"]), TimeProvider.System);
        await Assert.ThrowsAsync<IOException>(() => other.CopyAsync(new MemoryStream(new byte[64])));
    }

    [Fact]
    public async Task Copy_InAnotherFile_IsReadByTcpdump()
    {
        if (!File.Exists("/usr/bin/tcpdump"))
        {
            return;
        }

        (byte[] stream, List<byte[]> _) = await CapturedAsync(40);
        await using (var writer = new CaptureFiles(new CaptureRotation(_folder["cap"], 2000, Files: 4), TimeProvider.System))
        {
            await writer.CopyAsync(new MemoryStream(stream));
        }

        foreach (string file in Directory.GetFiles(_folder[""], "cap*"))
        {
            using Process tcpdump = Process.Start(new ProcessStartInfo("/usr/bin/tcpdump", ["-nr", file]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string lines = await tcpdump.StandardOutput.ReadToEndAsync();
            await tcpdump.WaitForExitAsync();
            Assert.Equal(0, tcpdump.ExitCode);
            Assert.Contains("198.51.100.9.", lines, StringComparison.Ordinal);
        }
    }

    private static void AssertOwnersAlone(string file)
    {
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    private static List<byte[]> Read(string file)
    {
        using FileStream stream = File.OpenRead(file);
        using var reader = new CaptureFileReader(stream);
        var packets = new List<byte[]>();
        while (reader.Read())
        {
            packets.Add(reader.Current.Bytes.ToArray());
        }

        return packets;
    }

    /// <summary>What a gateway sends of so many packets, which go from one port to another: each is there twice.</summary>
    private static async Task<(byte[] Stream, List<byte[]> Packets)> CapturedAsync(int packets)
    {
        const string WanMac = "02:00:00:00:01:01", ClientMac = "02:00:00:00:00:09";
        MemoryPort wan = new(), lan = new();
        await using DataplaneEngine engine = new DataplaneBuilder().Port("wan", PortSource.Memory(wan)).Port("lan", PortSource.Memory(lan))
            .Interface("wan", "198.51.100.1/24", mac: WanMac).Interface("lan", "10.1.0.1/24", mac: "02:00:00:00:02:01")
            .Neighbour("lan", "10.1.0.11", "02:00:00:00:00:0b").Build();
        engine.StartManual();
        await using Dataplane.Capturing.PacketCapture capture = engine.Capture();
        for (int i = 0; i < packets / 2; i++)
        {
            Assert.True(wan.TrySend(PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4("198.51.100.9", "10.1.0.11").Udp((ushort)(4000 + i), 53).PayloadOf(1 + (i * 37 % 900)).Build()));
            engine.RunOnce();
        }

        capture.End();
        using var stream = new MemoryStream();
        await capture.WriteAsync(stream);
        stream.Position = 0;
        using var reader = new CaptureFileReader(new MemoryStream(stream.ToArray()));
        var seen = new List<byte[]>();
        while (reader.Read())
        {
            seen.Add(reader.Current.Bytes.ToArray());
        }

        Assert.InRange(seen.Count, packets - 1, packets);
        return (stream.ToArray(), seen);
    }

    /// <summary>A second later with every look.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private int _looks;

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => s_start + TimeSpan.FromSeconds(_looks++);
    }

    /// <summary>Gives so many bytes at a time.</summary>
    private sealed class Parts(byte[] bytes, int most) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, most)]);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => base.ReadAsync(buffer[..Math.Min(buffer.Length, most)], cancellationToken);
    }
}
