using System.Text;
using Dataplane.Hashing;

namespace Dataplane.Balancing.Compatibility;

/// <summary>The table of Envoy's Maglev load balancer (envoy.load_balancing_policies.maglev), slot by slot.</summary>
public static class EnvoyMaglev
{
    /// <summary>Envoy's table size.</summary>
    public const int DefaultSize = 65537;

    /// <summary>Fills a table.</summary>
    /// <param name="hosts">In any order; those of one key stand in the order given.</param>
    /// <param name="size">Slots: a prime from 2 to <see cref="MaglevTable.MaxSize"/>.</param>
    /// <returns>The index of the host of every slot; empty without hosts.</returns>
    /// <exception cref="ArgumentException">The size is no prime, or a key is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range, or a weight is not positive.</exception>
    public static int[] Build(IReadOnlyList<EnvoyHost> hosts, int size = DefaultSize)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        foreach (EnvoyHost host in hosts)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(host.Weight, nameof(hosts));
        }

        // Envoy multiplies by the weight of the locality, which is 1 without localities, and divides then.
        double sum = hosts.Sum(host => (long)host.Weight);
        return Build([.. hosts.Select(host => host.Key)], [.. hosts.Select(host => host.Weight / sum)], size);
    }

    /// <summary>The slot of a request, or of a connection.</summary>
    /// <param name="hash">What Envoy's hash policy gives.</param>
    /// <param name="size">Slots of the table.</param>
    /// <param name="attempt">0, or the number of the retry that is to go elsewhere.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is not positive.</exception>
    public static int SlotOf(ulong hash, int size = DefaultSize, uint attempt = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        return (int)((attempt == 0 ? hash : hash ^ (ulong.MaxValue - attempt + 1)) % (uint)size);
    }

    /// <summary>Fills a table for weights whose sum is 1, as locality weights make them too.</summary>
    internal static int[] Build(string[] keys, double[] weights, int size)
    {
        MaglevTable.CheckSize(size);
        if (keys.Length == 0)
        {
            return [];
        }

        byte[][] bytes = Array.ConvertAll(keys, key => string.IsNullOrEmpty(key)
            ? throw new ArgumentException("A host needs a key to hash, such as its address and port.", nameof(keys))
            : Encoding.UTF8.GetBytes(key));
        int[] order = [.. Enumerable.Range(0, keys.Length).Order(Comparer<int>.Create((a, b) => bytes[a].AsSpan().SequenceCompareTo(bytes[b])))];
        int[] next = Array.ConvertAll(order, host => (int)(XxHash64.Hash(bytes[host]) % (uint)size));
        int[] skips = Array.ConvertAll(order, host => (int)(XxHash64.Hash(bytes[host], 1) % (uint)(size - 1)) + 1);
        double[] sorted = Array.ConvertAll(order, host => weights[host]), targets = new double[order.Length];
        double heaviest = weights.Max();
        var slots = new int[size];
        var free = new FreeSlots(size);
        int left = size;
        for (uint round = 1; left > 0; round++)
        {
            for (int i = 0; i < order.Length && left > 0; i++)
            {
                if (round * sorted[i] >= targets[i])
                {
                    targets[i] += heaviest;
                    slots[free.Take(ref next[i], skips[i])] = order[i];
                    left--;
                }
            }
        }

        return slots;
    }
}
