using BenchmarkDotNet.Attributes;
using Dataplane.Balancing;

namespace Dataplane.Benchmarks.Balancing;

/// <summary>Round robin: nanoseconds per turn, and building the sequence.</summary>
[MemoryDiagnoser]
public class WeightedScheduleBenchmarks
{
    private const int Turns = 1 << 16;

    private readonly int[] _weights = [.. Enumerable.Range(0, 100).Select(i => 1 + (i % 7))];
    private WeightedSchedule _schedule = WeightedSchedule.Build([]);

    [GlobalSetup]
    public void Setup() => _schedule = WeightedSchedule.Build(_weights);

    [Benchmark(OperationsPerInvoke = Turns)]
    public int Next()
    {
        int sum = 0, position = 0;
        for (int i = 0; i < Turns; i++)
        {
            sum += _schedule.Next(ref position);
        }

        return sum;
    }

    [Benchmark]
    public int Build() => WeightedSchedule.Build(_weights).Length;
}
