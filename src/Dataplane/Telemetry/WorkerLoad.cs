using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>What a worker's time went to. Written by the worker once per round or batch, read by any thread: each number is right, together they are of
/// about the same time.</summary>
internal sealed class WorkerLoad
{
    /// <summary>Sizes of batches are counted by powers of two: 1, 2 to 3, 4 to 7, ... , 256.</summary>
    public static readonly int Sizes = BitOperations.Log2(PacketBatch.Capacity) + 1;

    private readonly long[] _batches = new long[Sizes];

    /// <summary>Rounds that received something, and those that found nothing.</summary>
    public long BusyRounds { get; private set; }

    /// <inheritdoc cref="BusyRounds"/>
    public long IdleRounds { get; private set; }

    /// <summary>Time spent in rounds of either kind.</summary>
    public long BusyNs { get; private set; }

    /// <inheritdoc cref="BusyNs"/>
    public long IdleNs { get; private set; }

    /// <summary>Times the worker went to sleep.</summary>
    public long Sleeps { get; private set; }

    /// <summary>Packets received in rounds whose time was taken, by ports and from other workers.</summary>
    public long Packets { get; private set; }

    /// <summary>By power of two: batches received from ports.</summary>
    public ReadOnlySpan<long> Batches => _batches;

    /// <summary>Counts a batch from a port.</summary>
    public void CountBatch(int packets) => _batches[BitOperations.Log2((uint)packets)]++;

    /// <summary>Counts a round.</summary>
    public void CountRound(int packets, long tookNs)
    {
        if (packets > 0)
        {
            BusyRounds++;
            BusyNs += tookNs;
            Packets += packets;
        }
        else
        {
            IdleRounds++;
            IdleNs += tookNs;
        }
    }

    /// <summary>Counts a sleep.</summary>
    public void CountSleep() => Sleeps++;
}
