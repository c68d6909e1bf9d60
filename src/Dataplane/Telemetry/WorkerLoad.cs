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
    private long _longestNs;

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

    /// <summary>The longest time from one look at the ports to the next since this was last asked, waiting in sleep apart. Any thread.</summary>
    public long TakeLongest() => Interlocked.Exchange(ref _longestNs, 0);

    /// <summary>The worker has not looked at its ports for this long.</summary>
    public void NoteAway(long ns)
    {
        // Only the worker raises it: at worst a length is told in the window after the one that it ended in.
        if (ns > Volatile.Read(ref _longestNs))
        {
            Volatile.Write(ref _longestNs, ns);
        }
    }

    /// <summary>Counts a round.</summary>
    public void CountRound(int packets, long tookNs)
    {
        NoteAway(tookNs);
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
