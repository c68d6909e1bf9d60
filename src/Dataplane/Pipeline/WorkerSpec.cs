namespace Dataplane.Pipeline;

/// <summary>Settings of the workers and the sizes of their tables.</summary>
public sealed record WorkerSpec
{
    /// <summary>Number of workers, 1 to 16. Ports are spread over them; each flow belongs to one.</summary>
    public int Count { get; init; } = 1;

    /// <summary>CPU that the only worker is pinned to; null: not pinned. For several see <see cref="Pin"/>.</summary>
    public int? Cpu { get; init; }

    /// <summary>CPU that each worker is pinned to, in their order; empty: none is.</summary>
    public CpuList Pin { get; init; } = [];

    /// <summary>How long a worker spins without work before it sleeps in poll, in microseconds, 0 to 1,000,000.</summary>
    public int SpinMicroseconds { get; init; } = 50;

    /// <summary>Entries of the flow tables of all workers together, two per flow; 1,024 to 67,108,864.</summary>
    public int FlowEntries { get; init; } = 262_144;

    /// <summary>Entries of each worker's neighbour table, 64 to 1,048,576.</summary>
    public int NeighbourEntries { get; init; } = 4096;

    /// <summary>Seed of the flow hash and of every choice made by chance; null: a random one per process.</summary>
    public ulong? Seed { get; init; }

    /// <summary>ICMP errors sent per second, 0 to 1,000,000, in bursts of at most a twentieth (RFC 1812 4.3.2.8, RFC 4443 2.4 f).</summary>
    public int IcmpErrorsPerSecond { get; init; } = 1000;

    /// <summary>The CPU of a worker, or null.</summary>
    internal int? CpuOf(int worker) => worker < Pin.Count ? Pin[worker] : worker == 0 ? Cpu : null;
}
