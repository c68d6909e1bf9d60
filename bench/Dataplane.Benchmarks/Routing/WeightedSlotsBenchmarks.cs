using BenchmarkDotNet.Attributes;
using Dataplane.Routing;

namespace Dataplane.Benchmarks.Routing;

/// <summary>Choosing the next hop of a group, nanoseconds per packet of a batch.</summary>
[MemoryDiagnoser]
public class WeightedSlotsBenchmarks
{
    private const int Packets = 1 << 14;

    private readonly uint[] _hashes = new uint[Packets];
    private readonly byte[] _slots = WeightedSlots.Build([1, 2, 3, 4, 5, 6, 7, 8]);

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        for (int i = 0; i < Packets; i++)
        {
            _hashes[i] = (uint)random.NextInt64(1L << 32);
        }
    }

    [Benchmark(OperationsPerInvoke = Packets)]
    public int Select()
    {
        int sum = 0;
        foreach (uint hash in _hashes)
        {
            sum += WeightedSlots.Select(_slots, hash);
        }

        return sum;
    }
}
