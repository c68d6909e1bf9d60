using BenchmarkDotNet.Attributes;
using Dataplane.Capturing;

namespace Dataplane.Benchmarks.Pipeline;

/// <summary>The packet's whole way of <see cref="WholePipelineBenchmarks"/> with 1,000 flows while a capture runs: nanoseconds per packet forwarded, which a capture sees as it comes and as it leaves.</summary>
/// <remarks>What is captured is thrown away by the same thread, as it has no file to be written to: the worker's part, and that of a reader who only passes on.</remarks>
[MemoryDiagnoser, MinColumn, MedianColumn]
public class CaptureBenchmarks
{
    private WholePipelineBenchmarks _way = null!;
    private CaptureRing? _ring;

    /// <summary>What is captured: "off", a filter that headers refuse, one that asks what became of packets of which none is dropped, one packet of a hundred, all.</summary>
    [Params("off", "host 192.0.2.1", "dropped", "src portrange 1024-1033", "all")]
    public string Captured { get; set; } = "";

    /// <summary>4 or 6.</summary>
    [Params(4, 6)]
    public int Family { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _way = new WholePipelineBenchmarks { Flows = 1000, Family = Family };
        _way.Setup();
        if (Captured == "off")
        {
            return;
        }

        bool isAll = Captured == "all";
        PacketCapture capture = _way.Engine.Capture(new CaptureOptions { Filter = isAll ? "" : Captured });
        _ring = capture.LaneOf(0).Ring;
        for (int batch = 0; batch < 1000; batch++)
        {
            Forward();
        }

        long seen = capture.CopiedOut, expected = isAll ? 512_000 : Captured.StartsWith("src", StringComparison.Ordinal) ? 5_120 : 0;
        if (capture.NotCaptured != 0 || Math.Abs(seen - expected) > 60)
        {
            throw new InvalidOperationException($"{Captured}: {seen} captured of {expected}, {capture.NotCaptured} not");
        }
    }

    [Benchmark(OperationsPerInvoke = Packets.PacketBatch.Capacity)]
    public int Forward()
    {
        int received = _way.Forward();
        while (_ring?.TryPeek(out _, out _) ?? false)
        {
            _ring.Release();
        }

        return received;
    }
}
