namespace Dataplane.Names;

/// <summary>What one worker has of its own to answer queries. Counters are read by any thread.</summary>
internal sealed class NameWorker(ulong seed)
{
    /// <summary>Response codes that are counted, from 0 on (RFC 6895 2.3, with BADVERS).</summary>
    public const int Rcodes = 17;

    private readonly long[] _answered = new long[Rcodes];

    public NameScratch Scratch { get; } = new(seed);

    public SourceLimit Limit { get; } = new(seed);

    /// <summary>Its connections.</summary>
    public NameStreams Streams { get; } = new();

    public long Truncated { get; private set; }

    public long Forwarded { get; set; }

    public long ForwardsRefused { get; set; }

    /// <summary>Where queries for names of others go; null where nobody asks, and for explain.</summary>
    public NameForwards? Forwards { get; set; }

    /// <summary>Counts a response.</summary>
    public void Count(in NameResponse response)
    {
        _answered[response.Rcode]++;
        if (response.IsTruncated)
        {
            Truncated++;
        }
    }

    /// <summary>Adds what has been answered.</summary>
    public void AddAnswered(long[] sums)
    {
        for (int rcode = 0; rcode < Rcodes; rcode++)
        {
            sums[rcode] += Volatile.Read(ref _answered[rcode]);
        }
    }
}
