using BenchmarkDotNet.Attributes;
using Dataplane.Balancing;

namespace Dataplane.Benchmarks.Balancing;

/// <summary>Building a table and changing it by one member: what a change of backends costs the control side.</summary>
[MemoryDiagnoser]
public class MaglevBuildBenchmarks
{
    private MaglevMember[] _members = [];
    private MaglevTable _table = MaglevTable.Build([]);

    [Params(MaglevTable.DefaultSize)]
    public int Size { get; set; }

    [Params(10, 1000)]
    public int Members { get; set; }

    [Params(false, true)]
    public bool Weighted { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _members = [.. Enumerable.Range(0, Members).Select(i => new MaglevMember((ulong)i, Weighted ? 1 + (i % 10) : 1))];
        _table = MaglevTable.Build(_members, Size);
    }

    [Benchmark]
    public MaglevTable Build() => MaglevTable.Build(_members, Size);

    [Benchmark]
    public MaglevTable RemoveOne() => _table.Change(_members[1..]);
}
