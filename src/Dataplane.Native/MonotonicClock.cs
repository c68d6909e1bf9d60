using System.Diagnostics;

namespace Dataplane.Native;

/// <summary>The clock of the data plane: nanoseconds that only go forward, from an origin without meaning (CLOCK_MONOTONIC).</summary>
public static class MonotonicClock
{
    /// <summary>Nanoseconds now. Costs one read of the processor's counter where the kernel offers its clock in the vDSO; read it once per batch.</summary>
    public static long NowNs => Stopwatch.Frequency == 1_000_000_000
        ? Stopwatch.GetTimestamp()
        : (long)((Int128)Stopwatch.GetTimestamp() * 1_000_000_000 / Stopwatch.Frequency);
}
