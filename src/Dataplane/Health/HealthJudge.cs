using System.Globalization;

namespace Dataplane.Health;

/// <summary>Decides from one finding after the other whether a backend is up: thresholds, and what the engine itself saw. Used by one thread at a time.</summary>
internal sealed class HealthJudge
{
    private readonly HealthSpec _spec;
    private int _row;
    private long _heldUntilNs = long.MinValue;

    /// <summary>Begins.</summary>
    /// <param name="spec">The thresholds.</param>
    /// <param name="isUp">What it is taken for now.</param>
    public HealthJudge(HealthSpec spec, bool isUp)
    {
        _spec = spec;
        IsUp = isUp;
    }

    /// <summary>What it is now.</summary>
    public bool IsUp { get; private set; }

    /// <summary>Why it is that; meaningful when a member has just returned true.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Takes what a check has found.</summary>
    /// <returns>Whether the backend has changed its state by it.</returns>
    public bool Take(HealthVerdict verdict, long nowNs)
    {
        if (verdict.IsWell == IsUp || nowNs < _heldUntilNs)
        {
            _row = 0;
            return false;
        }

        _row++;
        int needed = IsUp ? _spec.Fall : _spec.Rise;
        return _row >= needed && Turn(string.Create(CultureInfo.InvariantCulture, $"{verdict.Reason}, {needed} in a row"));
    }

    /// <summary>Takes what the engine has seen of the backend's connections in an interval.</summary>
    /// <param name="established">Handshakes completed.</param>
    /// <param name="refused">Connections refused.</param>
    /// <param name="unanswered">SYNs repeated.</param>
    /// <param name="nowNs">Time.</param>
    /// <returns>Whether the backend has changed its state by it.</returns>
    public bool Take(long established, long refused, long unanswered, long nowNs)
    {
        if (!IsUp && _heldUntilNs != long.MinValue && nowNs >= _heldUntilNs)
        {
            // Where nobody asks, only new connections can show whether it is well.
            _heldUntilNs = long.MinValue;
            return _spec.Check == HealthCheckKind.None && Turn("held long enough");
        }

        if (!IsUp || _spec.Passive == 0 || established > 0 || refused + unanswered < _spec.Passive)
        {
            return false;
        }

        _heldUntilNs = nowNs + (long)_spec.Hold.TotalNanoseconds;
        return Turn(string.Create(CultureInfo.InvariantCulture, $"{refused} connections refused, {unanswered} SYNs unanswered, none completed"));
    }

    private bool Turn(string reason)
    {
        IsUp = !IsUp;
        _row = 0;
        Reason = reason;
        return true;
    }
}
