using System.Diagnostics;
using System.Numerics;

namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>Counts answers and their latency. Any thread.</summary>
/// <remarks>Latencies go into buckets of an eighth of a power of two, so that percentiles are right within 9 %.</remarks>
internal sealed class TrafficCounter
{
    private const int BucketsPerOctave = 8;

    private readonly Lock _counting = new();
    private readonly Queue<long[]> _recent = new();
    private long[] _now = new long[40 * BucketsPerOctave];
    private long _ok;
    private long _failed;

    /// <summary>An answer came.</summary>
    /// <param name="startTimestamp">From <see cref="Stopwatch.GetTimestamp"/>, when the request was sent.</param>
    public void CountOk(long startTimestamp)
    {
        long ns = (long)Stopwatch.GetElapsedTime(startTimestamp).TotalNanoseconds;
        lock (_counting)
        {
            _ok++;
            _now[BucketOf(ns)]++;
        }
    }

    public void CountFailed()
    {
        lock (_counting)
        {
            _failed++;
        }
    }

    /// <summary>Reads the figures; percentiles are over what was counted between this and the fourth last reading.</summary>
    public TrafficFigures Read()
    {
        lock (_counting)
        {
            _recent.Enqueue(_now);
            long[] sum = new long[_now.Length];
            foreach (long[] buckets in _recent)
            {
                for (int i = 0; i < sum.Length; i++)
                {
                    sum[i] += buckets[i];
                }
            }

            _now = _recent.Count >= 4 ? _recent.Dequeue() : new long[sum.Length];
            Array.Clear(_now);
            return new TrafficFigures(_ok, _failed, Percentile(sum, 0.50), Percentile(sum, 0.99));
        }
    }

    private static int BucketOf(long ns)
    {
        ulong value = (ulong)Math.Max(ns, BucketsPerOctave);
        int octave = BitOperations.Log2(value);
        int eighth = (int)(value >> (octave - 3)) & (BucketsPerOctave - 1);
        return Math.Min((octave * BucketsPerOctave) + eighth, (40 * BucketsPerOctave) - 1);
    }

    /// <summary>The middle of the bucket in which the percentile lies, in microseconds; 0 when nothing was counted.</summary>
    private static double Percentile(long[] buckets, double share)
    {
        long rank = (long)Math.Ceiling(buckets.Sum() * share);
        for (int i = 0; rank > 0 && i < buckets.Length; i++)
        {
            rank -= buckets[i];
            if (rank <= 0)
            {
                double octave = Math.Pow(2, i / BucketsPerOctave);
                return octave * (1 + (((i % BucketsPerOctave) + 0.5) / BucketsPerOctave)) / 1000;
            }
        }

        return 0;
    }
}
