namespace Dataplane.Switching;

/// <summary>A token bucket in bytes. One worker's.</summary>
/// <remarks>What is larger than the bucket passes when the bucket is full, and leaves a debt: a super-frame is one frame here.</remarks>
internal sealed class RateLimiter
{
    private const long LeastBurstBytes = 131_072;

    private readonly double _bytesPerNs;
    private readonly double _burst;
    private double _credit;
    private long _lastNs;

    /// <param name="bitsPerSecond">The rate.</param>
    /// <param name="burstBytes">What may come at once; null: what passes in 100 ms, but two super-frames at least.</param>
    public RateLimiter(long bitsPerSecond, long? burstBytes)
    {
        _bytesPerNs = bitsPerSecond / 8e9;
        _burst = burstBytes ?? Math.Max(LeastBurstBytes, bitsPerSecond / 80.0);
        _credit = _burst;
        _lastNs = long.MaxValue;
    }

    /// <summary>Takes the tokens of a frame, if there are enough.</summary>
    public bool TryTake(long nowNs, int bytes)
    {
        _credit = Math.Min(_burst, _credit + (Math.Max(0, nowNs - _lastNs) * _bytesPerNs));
        _lastNs = nowNs;
        if (_credit < Math.Min(bytes, _burst))
        {
            return false;
        }

        _credit -= bytes;
        return true;
    }
}
