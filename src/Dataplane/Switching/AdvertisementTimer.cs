using Dataplane.Pipeline;

namespace Dataplane.Switching;

/// <summary>When an endpoint hears of its router next. Written by the worker of its port only.</summary>
internal sealed class AdvertisementTimer
{
    /// <summary>RFC 4861 10: the first three are at most 16 seconds apart.</summary>
    private const int Initial = 3;
    private const long InitialMaxNs = 16_000_000_000;

    private readonly long _maxNs;
    private ulong _random;
    private long _nextNs;
    private int _sent;

    /// <param name="spec">What is advertised; another one has a timer of its own.</param>
    /// <param name="seed">What makes endpoints differ, so that they are not all told at once.</param>
    public AdvertisementTimer(RouterAdvertisementSpec spec, ulong seed)
    {
        Spec = spec;
        _maxNs = spec.Interval.Ticks * TimeSpan.NanosecondsPerTick;
        _random = seed | 1;
    }

    public RouterAdvertisementSpec Spec { get; }

    /// <summary>Answers to solicitations: hosts ask three times four seconds apart (RFC 4861 10), or once for each program that wants to know.</summary>
    public TokenBucket Solicited { get; } = new(1, 3);

    /// <summary>Whether an advertisement is due; then the next is later.</summary>
    public bool TryTake(long nowNs)
    {
        if (nowNs < _nextNs)
        {
            return false;
        }

        // RFC 4861 6.2.4: from a third of the interval to the whole, at random.
        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        long wait = (_maxNs / 3) + (long)(_random % (ulong)(_maxNs - (_maxNs / 3)));
        _nextNs = nowNs + (++_sent < Initial ? Math.Min(wait, InitialMaxNs) : wait);
        return true;
    }
}
