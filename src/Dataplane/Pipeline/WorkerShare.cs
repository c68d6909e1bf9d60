namespace Dataplane.Pipeline;

/// <summary>Which of the workers one is: flows are divided among them by hash, in equal parts.</summary>
internal readonly record struct WorkerShare(int Index, int Count)
{
    /// <summary>The only worker.</summary>
    public static WorkerShare Whole { get; } = new(0, 1);

    /// <summary>The worker whose part a hash is in.</summary>
    public int OwnerOf(uint hash) => (int)(((ulong)hash * (uint)Count) >> 32);

    /// <summary>The worker that a port is of, where ports are mapped: pairs (2n, 2n+1) in turn.</summary>
    public int OwnerOfPort(ushort port) => (port >> 1) % Count;

    /// <summary>Whether a hash is in this worker's part.</summary>
    public bool Owns(uint hash) => OwnerOf(hash) == Index;
}
