using BenchmarkDotNet.Attributes;
using Dataplane.Balancing;

namespace Dataplane.Benchmarks.Balancing;

/// <summary>Choosing a backend by hash, nanoseconds per lookup of a batch.</summary>
[MemoryDiagnoser]
public class MaglevLookupBenchmarks
{
    private const int Lookups = 1 << 16;

    private readonly uint[] _hashes = new uint[Lookups];
    private MaglevTable _table = MaglevTable.Build([]);

    [Params(65537, 655373)]
    public int Size { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _table = MaglevTable.Build([.. Enumerable.Range(0, 100).Select(i => new MaglevMember((ulong)i, 1))], Size);
        for (int i = 0; i < Lookups; i++)
        {
            _hashes[i] = (uint)random.NextInt64(1L << 32);
        }
    }

    [Benchmark(OperationsPerInvoke = Lookups)]
    public int Lookup()
    {
        int sum = 0;
        foreach (uint hash in _hashes)
        {
            sum += _table.Lookup(hash);
        }

        return sum;
    }
}
