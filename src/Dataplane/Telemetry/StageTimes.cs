using System.Diagnostics;

namespace Dataplane.Telemetry;

/// <summary>How long each stage takes, while that is asked for: the time between two marks is the stage's whose name the second bears.</summary>
/// <remarks>A mark reads the clock once, some 25 ns: a tenth of a nanosecond for each packet of a full batch. Used by one thread, read by any.</remarks>
internal sealed class StageTimes
{
    private readonly long[] _ticks = new long[(int)TimedStage.Count + 1];
    private long _last;

    /// <summary>Packets in the batches that were measured.</summary>
    public long Packets { get; private set; }

    /// <summary>Begins a batch.</summary>
    public void Begin() => _last = Stopwatch.GetTimestamp();

    /// <summary>Notes the end of a stage.</summary>
    public void Mark(TimedStage stage)
    {
        long now = Stopwatch.GetTimestamp();
        _ticks[(int)stage] += now - _last;
        _last = now;
    }

    /// <summary>Ends a batch.</summary>
    public void End(int packets) => Packets += packets;

    /// <summary>Time of a stage so far, in nanoseconds.</summary>
    public long NsOf(TimedStage stage) => (long)((Int128)_ticks[(int)stage] * 1_000_000_000 / Stopwatch.Frequency);
}

/// <summary>The parts of a packet's way whose time can be taken, in order.</summary>
internal enum TimedStage
{
    Receive = 0,
    Parse,
    UserStages,
    Established,
    HandOver,
    Ingress,
    Filter,
    Flow,
    Balance,
    Route,
    Neighbour,
    Rewrite,
    Transmit,
    Count,
}
