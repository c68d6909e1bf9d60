using BenchmarkDotNet.Attributes;
using Dataplane.Packets;
using Dataplane.Routing;

namespace Dataplane.Benchmarks.Routing;

/// <summary>Longest prefix match, nanoseconds per lookup of a batch: addresses drawn inside prefixes, so that none ends early.</summary>
[MemoryDiagnoser]
public class LpmBenchmarks
{
    private const int Lookups = 1 << 16;

    private readonly uint[] _v4 = new uint[Lookups];
    private readonly ulong[] _v6High = new ulong[Lookups];
    private readonly ulong[] _v6Low = new ulong[Lookups];
    private LpmTable _table = LpmTable.Build([]);

    [Params(10, 1_000, 100_000, 1_000_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        (IpPrefix Prefix, int Value)[] v4 = SampleRoutes.V4(random, Routes), v6 = SampleRoutes.V6(random, Math.Min(Routes, 250_000));
        _table = LpmTable.Build([.. v4, .. v6]);
        for (int i = 0; i < Lookups; i++)
        {
            _v4[i] = (uint)SampleRoutes.AddressIn(random, v4[random.Next(v4.Length)].Prefix).Low;
            IpAddress address = SampleRoutes.AddressIn(random, v6[random.Next(v6.Length)].Prefix);
            (_v6High[i], _v6Low[i]) = (address.High, address.Low);
        }
    }

    [Benchmark(OperationsPerInvoke = Lookups)]
    public int LookupV4()
    {
        int sum = 0;
        foreach (uint address in _v4)
        {
            sum += _table.LookupV4(address);
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Lookups)]
    public int LookupV6()
    {
        int sum = 0;
        ulong[] low = _v6Low;
        for (int i = 0; i < low.Length; i++)
        {
            sum += _table.LookupV6(_v6High[i], low[i]);
        }

        return sum;
    }
}
