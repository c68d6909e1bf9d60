using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>Compiles routes into the search trees of an <see cref="LpmTable"/>. Used by the control side.</summary>
internal sealed class LpmBuilder
{
    /// <summary>IPv4 ranges from which the direct table of 256 KB pays for itself: one tree of so many has four levels.</summary>
    public const int DirectFromRanges = 8192;

    private const int OrderBits = 26, LengthBits = 6;

    /// <summary>Sorts and lays out routes of both families.</summary>
    /// <param name="routes">As for <see cref="LpmTable.Build"/>.</param>
    /// <param name="directFromRanges">IPv4 ranges from which there is a direct table; another value than the default is for tests.</param>
    public LpmBuilder(IReadOnlyList<(IpPrefix Prefix, int Value)> routes, int directFromRanges = DirectFromRanges)
    {
        var keysV4 = new List<ulong>();
        var keysV6 = new List<(UInt128 First, int Length, int Order)>();
        if (routes.Count >= 1 << OrderBits)
        {
            throw new ArgumentException($"{routes.Count} routes are more than a table can hold ({(1 << OrderBits) - 1}).", nameof(routes));
        }

        for (int order = 0; order < routes.Count; order++)
        {
            (IpPrefix prefix, int value) = routes[order];
            if (value < 0 || prefix.Family == IpFamily.None)
            {
                throw new ArgumentException($"Route {order} ({prefix}, value {value}) needs an address and a value of 0 or more.", nameof(routes));
            }

            IpAddress first = prefix.First;
            if (first.IsIpv4)
            {
                keysV4.Add((first.Low << (LengthBits + OrderBits)) | ((ulong)prefix.Length << OrderBits) | (uint)order);
            }
            else
            {
                keysV6.Add((first.Bits, prefix.Length, order));
            }
        }

        LayOutV4(SweepV4(routes, keysV4), directFromRanges);
        LayOutV6(SweepV6(routes, keysV6));
    }

    /// <summary>One entry per upper half of an IPv4 address, or empty.</summary>
    public int[] Direct { get; private set; } = [];

    /// <summary>Trees behind <see cref="Direct"/>.</summary>
    public RangeForestBuilder<ushort> LowV4 { get; } = new();

    /// <summary>The one tree over IPv4 addresses when there is no direct table.</summary>
    public RangeForestBuilder<uint> WholeV4 { get; } = new();

    /// <summary>The one tree over the upper halves of IPv6 addresses.</summary>
    public RangeForestBuilder<ulong> HighV6 { get; } = new();

    /// <summary>Trees over lower halves.</summary>
    public RangeForestBuilder<ulong> LowV6 { get; } = new();

    /// <summary>The tree an entry below <see cref="LpmTable.NoMatch"/> leads to.</summary>
    public static int TreeOf(int entry) => LpmTable.NoMatch - 1 - entry;

    private static int EntryOf(int tree) => LpmTable.NoMatch - 1 - tree;

    private static ElementaryRanges<uint> SweepV4(IReadOnlyList<(IpPrefix Prefix, int Value)> routes, List<ulong> keys)
    {
        keys.Sort();
        var prefixes = new PrefixRange<uint>[keys.Count];
        for (int i = 0; i < prefixes.Length; i++)
        {
            ulong key = keys[i];
            uint first = (uint)(key >> (LengthBits + OrderBits));
            int length = (int)(key >> OrderBits) & ((1 << LengthBits) - 1);
            uint host = length == 0 ? uint.MaxValue : (uint)((1UL << (32 - length)) - 1);
            prefixes[i] = new PrefixRange<uint>(first, first | host, routes[(int)key & ((1 << OrderBits) - 1)].Value);
        }

        return new ElementaryRanges<uint>(prefixes);
    }

    private static ElementaryRanges<UInt128> SweepV6(
        IReadOnlyList<(IpPrefix Prefix, int Value)> routes, List<(UInt128 First, int Length, int Order)> keys)
    {
        keys.Sort();
        var prefixes = new PrefixRange<UInt128>[keys.Count];
        for (int i = 0; i < prefixes.Length; i++)
        {
            (UInt128 first, int length, int order) = keys[i];
            UInt128 host = length == 0 ? UInt128.MaxValue : (UInt128.One << (128 - length)) - 1;
            prefixes[i] = new PrefixRange<UInt128>(first, first | host, routes[order].Value);
        }

        return new ElementaryRanges<UInt128>(prefixes);
    }

    private void LayOutV4(ElementaryRanges<uint> ranges, int directFromRanges)
    {
        ReadOnlySpan<uint> starts = ranges.Starts;
        if (starts.Length < directFromRanges)
        {
            WholeV4.Add(starts, ranges.Values);
            return;
        }

        Direct = new int[1 << 16];
        var lowStarts = new List<ushort>();
        var lowValues = new List<int>();
        int next = 0, value = LpmTable.NoMatch;
        for (int high = 0; high < Direct.Length; high++)
        {
            lowStarts.Clear();
            lowValues.Clear();
            if (next == starts.Length || starts[next] != (uint)high << 16)
            {
                lowStarts.Add(0);
                lowValues.Add(value);
            }

            for (; next < starts.Length && starts[next] >> 16 == high; next++)
            {
                value = ranges.Values[next];
                lowStarts.Add((ushort)starts[next]);
                lowValues.Add(value);
            }

            Direct[high] = lowStarts.Count == 1 ? value : EntryOf(LowV4.Add([.. lowStarts], [.. lowValues]));
        }
    }

    private void LayOutV6(ElementaryRanges<UInt128> ranges)
    {
        ReadOnlySpan<UInt128> starts = ranges.Starts;
        var highStarts = new List<ulong>();
        var highValues = new List<int>();
        var lowStarts = new List<ulong>();
        var lowValues = new List<int>();
        int value = LpmTable.NoMatch;
        for (int next = 0; next < starts.Length;)
        {
            ulong high = (ulong)(starts[next] >> 64);
            lowStarts.Clear();
            lowValues.Clear();
            if ((ulong)starts[next] != 0)
            {
                lowStarts.Add(0);
                lowValues.Add(value);
            }

            for (; next < starts.Length && (ulong)(starts[next] >> 64) == high; next++)
            {
                value = ranges.Values[next];
                lowStarts.Add((ulong)starts[next]);
                lowValues.Add(value);
            }

            highStarts.Add(high);
            highValues.Add(lowStarts.Count == 1 ? value : EntryOf(LowV6.Add([.. lowStarts], [.. lowValues])));

            // Behind a divided upper half the last of its ranges goes on, unless the next upper half speaks for itself.
            if (lowStarts.Count > 1 && high != ulong.MaxValue && (next == starts.Length || (ulong)(starts[next] >> 64) != high + 1))
            {
                highStarts.Add(high + 1);
                highValues.Add(value);
            }
        }

        HighV6.Add([.. highStarts], [.. highValues]);
    }
}
