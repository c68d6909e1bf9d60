using BenchmarkDotNet.Attributes;
using Dataplane.Routing.Lpm;

namespace Dataplane.Benchmarks.Routing;

/// <summary>Longest prefix match in batches of 256, nanoseconds per lookup: tables of the internet's shape, addresses drawn inside their prefixes.</summary>
[MemoryDiagnoser]
public class LpmBenchmarks
{
    private const int Lookups = 1 << 16, Batch = 256;

    private readonly int[] _found = new int[Batch];
    private uint[] _v4 = [];
    private ulong[] _v6High = [], _v6Low = [];
    private Ipv4Lpm _tableV4 = null!;
    private Ipv6Lpm _tableV6 = null!;

    [Params(10, 1_000, 100_000, 1_000_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var periods = new GracePeriods();
        (uint First, byte Length, int Value)[] v4 = InternetRoutes.V4(1, Routes, 250);
        (UInt128 First, byte Length, int Value)[] v6 = InternetRoutes.V6(1, Math.Min(Routes, 250_000), 250);
        (_tableV4, _tableV6) = (new Ipv4Lpm(periods), new Ipv6Lpm(periods));
        _tableV4.Apply([.. v4.Select(route => new Ipv4RouteChange(route.First, route.Length, route.Value))]);
        _tableV6.Apply([.. v6.Select(route => new Ipv6RouteChange(route.First, route.Length, route.Value))]);
        _v4 = InternetRoutes.KeysV4(2, v4, Lookups);
        UInt128[] keys = InternetRoutes.KeysV6(2, v6, Lookups);
        _v6High = [.. keys.Select(key => (ulong)(key >> 64))];
        _v6Low = [.. keys.Select(key => (ulong)key)];
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _tableV4.Dispose();
        _tableV6.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Lookups)]
    public int LookupV4()
    {
        int sum = 0;
        for (int first = 0; first < Lookups; first += Batch)
        {
            _tableV4.Lookup(_v4.AsSpan(first, Batch), _found);
            sum += _found[0];
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Lookups)]
    public int LookupV6()
    {
        int sum = 0;
        for (int first = 0; first < Lookups; first += Batch)
        {
            _tableV6.Lookup(_v6High.AsSpan(first, Batch), _v6Low.AsSpan(first, Batch), _found);
            sum += _found[0];
        }

        return sum;
    }
}
