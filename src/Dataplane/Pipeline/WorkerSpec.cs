namespace Dataplane.Pipeline;

/// <summary>Settings of the worker and the sizes of its tables.</summary>
public sealed record WorkerSpec
{
    /// <summary>Number of workers. This version runs one.</summary>
    public int Count { get; init; } = 1;

    /// <summary>CPU the worker is pinned to; null: not pinned.</summary>
    public int? Cpu { get; init; }

    /// <summary>How long the worker spins without work before it sleeps in poll, in microseconds, 0 to 1,000,000.</summary>
    public int SpinMicroseconds { get; init; } = 50;

    /// <summary>Entries of the flow table, two per flow; 1,024 to 67,108,864.</summary>
    public int FlowEntries { get; init; } = 262_144;

    /// <summary>Entries of the neighbour table, 64 to 1,048,576.</summary>
    public int NeighbourEntries { get; init; } = 4096;

    /// <summary>Seed of the flow hash and of every choice made by chance; null: a random one per process.</summary>
    public ulong? Seed { get; init; }

    /// <summary>ICMP errors sent per second, 0 to 1,000,000, in bursts of at most a twentieth (RFC 1812 4.3.2.8, RFC 4443 2.4 f).</summary>
    public int IcmpErrorsPerSecond { get; init; } = 1000;
}
