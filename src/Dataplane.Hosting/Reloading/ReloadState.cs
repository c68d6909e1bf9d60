namespace Dataplane.Hosting.Reloading;

/// <summary>Counts reloads, for meters and health checks. Any thread.</summary>
internal sealed class ReloadState
{
    private long _applied;
    private long _rejected;
    private long _lastSuccessUnixSeconds;
    private volatile string? _lastRejection;

    /// <summary>Reloads put in force.</summary>
    public long Applied => Volatile.Read(ref _applied);

    /// <summary>Reloads refused.</summary>
    public long Rejected => Volatile.Read(ref _rejected);

    /// <summary>When the configuration in force was put there, in seconds since 1970 UTC; 0 before the start.</summary>
    public long LastSuccessUnixSeconds => Volatile.Read(ref _lastSuccessUnixSeconds);

    /// <summary>Why the newest configuration is not in force; null when it is.</summary>
    public string? LastRejection => _lastRejection;

    public void Started(DateTimeOffset now) => Volatile.Write(ref _lastSuccessUnixSeconds, now.ToUnixTimeSeconds());

    public void Count(ReloadOutcome outcome, DateTimeOffset now)
    {
        if (outcome.IsRejected)
        {
            Interlocked.Increment(ref _rejected);
            _lastRejection = outcome.Failure?.Message ?? $"{outcome.Errors.Count} configuration error{(outcome.Errors.Count == 1 ? "" : "s")}, the first: {outcome.Errors[0]}";
            return;
        }

        _lastRejection = null;
        if (outcome.Receipt is not null)
        {
            Interlocked.Increment(ref _applied);
            Volatile.Write(ref _lastSuccessUnixSeconds, now.ToUnixTimeSeconds());
        }
    }
}
