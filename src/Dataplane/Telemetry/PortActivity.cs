using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dataplane.Ports;

namespace Dataplane.Telemetry;

/// <summary>How often a worker has asked a port, or its queues of it, and what came of it. Written by that worker, read by any thread; lives as long as the port.</summary>
internal sealed class PortActivity
{
    private static readonly ConditionalWeakTable<IPort, PortActivity> s_all = [];

    private Counts _counts;

    /// <summary>Times the port was asked for frames.</summary>
    public long Polls => Volatile.Read(ref _counts.Polls);

    /// <summary>Times it had some.</summary>
    public long Batches => Volatile.Read(ref _counts.Batches);

    /// <summary>Sleeps of the worker that its descriptor ended.</summary>
    public long Wakes => Volatile.Read(ref _counts.Wakes);

    /// <summary>That of a port, or of the queues that one worker has of it; made at first. The control side.</summary>
    public static PortActivity Of(IPort port) => s_all.GetOrCreateValue(port);

    /// <summary>Counts that the port was asked. The worker.</summary>
    public void CountPoll(bool isBatch)
    {
        _counts.Polls++;
        _counts.Batches += isBatch ? 1 : 0;
    }

    /// <summary>Counts a sleep that the port ended. The worker.</summary>
    public void CountWake() => _counts.Wakes++;

    // A line of its own on either side: the next object may be another worker's.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Counts
    {
        [FieldOffset(56)]
        public long Polls;

        [FieldOffset(64)]
        public long Batches;

        [FieldOffset(72)]
        public long Wakes;
    }
}
