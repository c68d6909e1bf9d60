namespace Dataplane.Names;

/// <summary>How many queries each source may ask: a meter per source in a table of fixed size (generic cell rate algorithm, one word each).</summary>
/// <remarks>Sources that fall on one meter share it; IPv6 sources are counted per /64, of which anybody has as many addresses as he likes.</remarks>
internal sealed class SourceLimit(ulong key)
{
    private const int Meters = 8192;

    private readonly long[] _earliestNs = new long[Meters];

    /// <summary>Counts a query.</summary>
    /// <param name="high">Upper half of the source's address; 0 for IPv4.</param>
    /// <param name="low">Lower half.</param>
    /// <param name="isV4">Its family.</param>
    /// <param name="perSecond">Queries per second; a tenth of that may come at once.</param>
    /// <param name="nowNs">The worker's time.</param>
    /// <returns>False when it is one too many.</returns>
    public bool TryTake(ulong high, ulong low, bool isV4, int perSecond, long nowNs)
    {
        const long BurstNs = 100_000_000;
        ulong mixed = ((isV4 ? low : high) ^ key) * 0x9E3779B97F4A7C15;
        ref long earliest = ref _earliestNs[(mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 >> 51];
        long next = Math.Max(earliest, nowNs) + (1_000_000_000L / perSecond);
        if (next - nowNs > Math.Max(BurstNs, 1_000_000_000L / perSecond))
        {
            return false;
        }

        earliest = next;
        return true;
    }
}
