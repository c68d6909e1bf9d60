namespace Dataplane.Bridging;

/// <summary>What came by a port of a bridge. Written by the worker of the port only, read by any thread.</summary>
internal sealed class BridgePortCounters
{
    public long Frames, Bytes, Learnt, Unlearnt, Moves, MovesRefused;

    /// <summary>By <see cref="FloodKind"/>: frames flooded, and those that were too many.</summary>
    public readonly long[] Flooded = new long[3], Limited = new long[3];
}
