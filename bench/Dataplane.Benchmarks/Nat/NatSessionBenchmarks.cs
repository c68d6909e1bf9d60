using BenchmarkDotNet.Attributes;

namespace Dataplane.Benchmarks.Nat;

/// <summary>New sessions over in-memory ports, each by its first packet: classified, routed, given a port and two entries, translated, sent. Nanoseconds per session: 1,000 are a million a second.</summary>
/// <remarks>The table is new and empty each time, with room for all; its memory, by its own report, is told at the end for each session it has room for.</remarks>
[MinColumn, MedianColumn]
public class NatSessionBenchmarks
{
    /// <summary>A quarter of a million at a time, in a table for half a million: as full as tables are that have been chosen well.</summary>
    private const int Sessions = 1 << 18, Entries = 1 << 20;

    private byte[] _frames = [];
    private NatPlane? _plane;

    [Params("nat44", "nat66", "nat64")]
    public string Kind { get; set; } = "";

    [GlobalSetup]
    public void Setup() => _frames = NatPlane.MakeFrames(Kind, Sessions);

    [IterationSetup]
    public void MakeEmpty() => _plane = NatPlane.Make(Kind, Sessions, Entries, _frames);

    [IterationCleanup]
    public void Check()
    {
        _plane!.MustHaveLostNothing();
        if (_plane.Engine.ReadFigures() is not { FlowEntries: 2 * Sessions } figures)
        {
            throw new InvalidOperationException($"there are {_plane.Engine.ReadFigures().FlowEntries / 2} flows, not {Sessions}");
        }

        Console.WriteLine($"// flow table: {figures.FlowTableBytes} bytes, room for {Entries / 2} sessions: {figures.FlowTableBytes / (Entries / 2)} bytes each");
        _plane.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    [Benchmark(OperationsPerInvoke = Sessions)]
    public int NewSessions()
    {
        int received = 0;
        for (int i = 0; i < Sessions / NatPlane.Batch; i++)
        {
            received += _plane!.Forward();
        }

        return received;
    }
}
