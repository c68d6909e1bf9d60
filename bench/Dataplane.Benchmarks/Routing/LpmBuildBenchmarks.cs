using BenchmarkDotNet.Attributes;
using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Routing.Lpm;

namespace Dataplane.Benchmarks.Routing;

/// <summary>Making a table of both families: what a configuration with other routes costs the control side.</summary>
[MemoryDiagnoser]
public class LpmBuildBenchmarks
{
    private RouteChange[] _routes = [];

    [Params(10, 1_000, 100_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Setup() => _routes =
    [
        .. InternetRoutes.V4(1, Routes / 2, 250).Select(route => new RouteChange(new IpPrefix(IpAddress.FromV4(route.First), route.Length), route.Value)),
        .. InternetRoutes.V6(1, Routes / 2, 250).Select(route => new RouteChange(new IpPrefix(IpAddress.FromBits(IpFamily.V6, route.First), route.Length), route.Value)),
    ];

    [Benchmark]
    public long Build()
    {
        using var table = new RouteTable(new GracePeriods());
        table.Apply(_routes);
        return table.MemoryBytes;
    }
}
