namespace Dataplane.Pipeline;

/// <summary>Limits how often something happens: tokens flow in at a rate and are taken one at a time.</summary>
internal sealed class TokenBucket
{
    private readonly long _nsPerToken;
    private readonly long _capacityNs;
    private long _creditNs;
    private long _lastNs;

    /// <param name="perSecond">Tokens per second; 0: none ever.</param>
    /// <param name="burst">Tokens that may be saved up.</param>
    public TokenBucket(int perSecond, int burst)
    {
        _nsPerToken = perSecond == 0 ? long.MaxValue : 1_000_000_000L / perSecond;
        _capacityNs = perSecond == 0 ? 0 : _nsPerToken * burst;
        _creditNs = _capacityNs;
    }

    /// <summary>Requests refused.</summary>
    public long Refused { get; private set; }

    /// <summary>Takes a token.</summary>
    public bool TryTake(long nowNs)
    {
        _creditNs = Math.Min(_capacityNs, _creditNs + Math.Max(0, nowNs - _lastNs));
        _lastNs = nowNs;
        if (_creditNs < _nsPerToken)
        {
            Refused++;
            return false;
        }

        _creditNs -= _nsPerToken;
        return true;
    }
}
