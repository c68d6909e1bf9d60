namespace Dataplane.Tests.Pipeline;

/// <summary>A clock that stands still until it is told to go on; one tick is one nanosecond.</summary>
internal sealed class TestClock : TimeProvider
{
    private long _nowNs = 1_000_000_000;

    public override long TimestampFrequency => 1_000_000_000;

    public override long GetTimestamp() => _nowNs;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(_nowNs / 100);

    public void Advance(TimeSpan time) => _nowNs += time.Ticks * 100;
}
