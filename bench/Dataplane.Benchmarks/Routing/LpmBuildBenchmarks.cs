using BenchmarkDotNet.Attributes;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Benchmarks.Routing;

/// <summary>Building a table of both families: what a change of configuration costs the control side.</summary>
[MemoryDiagnoser]
public class LpmBuildBenchmarks
{
    private (IpPrefix Prefix, int Value)[] _routes = [];

    [Params(10, 1_000, 100_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _routes = [.. SampleRoutes.V4(random, Routes / 2), .. SampleRoutes.V6(random, Routes / 2)];
    }

    [Benchmark]
    public long Build() => LpmTable.Build(_routes).MemoryBytes;
}
