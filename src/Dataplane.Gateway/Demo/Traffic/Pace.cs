using System.Diagnostics;

namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>Keeps a loop at a rate: waits until its next turn is due, and does not try to catch up on turns it missed.</summary>
internal struct Pace(TimeSpan interval)
{
    private readonly long _interval = (long)(interval.TotalSeconds * Stopwatch.Frequency);

    // The loops start spread over the first interval, or they would all send at once for ever.
    private long _due = Stopwatch.GetTimestamp() + (long)(Random.Shared.NextDouble() * interval.TotalSeconds * Stopwatch.Frequency);

    /// <summary>How long to wait for the next turn; zero when it is due.</summary>
    public TimeSpan Next()
    {
        long now = Stopwatch.GetTimestamp();
        long wait = _due - now;
        _due = Math.Max(_due + _interval, now);
        return wait > 0 ? TimeSpan.FromSeconds((double)wait / Stopwatch.Frequency) : TimeSpan.Zero;
    }
}
