using BenchmarkDotNet.Attributes;

namespace Dataplane.Benchmarks.Nat;

/// <summary>Source translation of established flows over in-memory ports, within a family and between them: nanoseconds per packet of 64 bytes (IPv6: 84).</summary>
/// <remarks>With the environment variable CI set, only up to 65,536 flows.</remarks>
[MemoryDiagnoser, MinColumn, MedianColumn]
public class NatBenchmarks
{
    private NatPlane _plane = null!;

    [Params("nat44", "nat66", "nat64")]
    public string Kind { get; set; } = "";

    /// <summary>Flows that the packets belong to, in turn.</summary>
    [ParamsSource(nameof(FlowCounts))]
    public int Flows { get; set; }

    public static IEnumerable<int> FlowCounts => Environment.GetEnvironmentVariable("CI") is null ? [1024, 1 << 16, 1 << 20] : [1024, 1 << 16];

    [GlobalSetup]
    public void Setup()
    {
        _plane = NatPlane.Make(Kind, Flows, Math.Max(65_536, Flows * 5 / 2));
        for (int i = 0; i < Math.Max(20_000, Flows * 3) / NatPlane.Batch; i++)
        {
            _plane.Forward();
        }

        _plane.MustHaveLostNothing();
    }

    [GlobalCleanup]
    public async Task Cleanup() => await _plane.DisposeAsync().ConfigureAwait(false);

    [Benchmark(OperationsPerInvoke = NatPlane.Batch)]
    public int Forward() => _plane.Forward();
}
