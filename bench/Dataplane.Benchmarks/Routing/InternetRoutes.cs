namespace Dataplane.Benchmarks.Routing;

/// <summary>A routing table of the shape of the internet's, made from a seed: no file to carry, the same on every machine.</summary>
/// <remarks>
/// Two things decide what a table costs: how long its prefixes are and how they cluster. The lengths follow the public BGP reports of 2024
/// (IPv4: 62 % are /24; IPv6: 46 % are /48, 10 % /32). Clusters come from allocations: blocks of unequal size, handed out side by
/// side from the registries' ranges and announced with unequal zeal, so that some are one prefix and some are cut into hundreds.
/// Values are drawn evenly and without regard to neighbours: nothing can be saved by merging routes, which real tables would allow.
/// </remarks>
internal static class InternetRoutes
{
    /// <summary>Weight of each IPv4 length from /8 on, per 100,000; a few longer than /24 are in every router's own table.</summary>
    private static readonly int[] s_weightsV4 =
        [2, 1, 4, 10, 30, 60, 120, 200, 1400, 850, 1450, 2700, 4600, 5400, 11600, 10300, 61023, 20, 20, 20, 20, 30, 40, 20, 80];

    /// <summary>Weight of each IPv6 length from /19 on, per 100,000; beyond /48 only the few that matter.</summary>
    private static readonly int[] s_weightsV6 =
        [5, 50, 5, 10, 10, 30, 10, 20, 20, 200, 2400, 600, 300, 10200, 1900, 2100, 700, 4000, 700, 1500, 700, 8200, 900, 3300, 1100, 7400, 1900, 4100, 2500, 44000];

    private static readonly (int Length, int Weight)[] s_longV6 = [(56, 250), (64, 350), (112, 5), (126, 15), (127, 10), (128, 510)];

    /// <summary>First 16 bits of the blocks that registries allocate from.</summary>
    private static readonly (int First, int Last)[] s_registriesV6 =
        [(0x2001, 0x2001), (0x2400, 0x240F), (0x2600, 0x2610), (0x2620, 0x2620), (0x2800, 0x2806), (0x2A00, 0x2A14), (0x2C0F, 0x2C0F)];

    /// <summary>IPv4 routes: distinct prefixes in the order drawn.</summary>
    /// <param name="seed">Gives the table.</param>
    /// <param name="count">Up to two million.</param>
    /// <param name="values">Values are 1 to this.</param>
    public static (uint First, byte Length, int Value)[] V4(ulong seed, int count, int values)
    {
        var random = new SplitMix64(seed);
        var blocks = new List<(uint First, int Length)>();
        for (ulong next = 0x0100_0000; next < 0xE000_0000;)
        {
            // Sizes of blocks the registries gave out: mostly /16 to /20, and never crossing their own size.
            int length = Math.Max(12 + (int)(random.Next(20) * random.Next(20) / 40), 32 - (int)ulong.TrailingZeroCount(next));
            blocks.Add(((uint)next, length));
            next += 1UL << (32 - length);
        }

        double[] zeal = Zeal(ref random, blocks.Count, i => Math.Pow(2, 20 - blocks[i].Length));
        var seen = new HashSet<ulong>(count);
        var routes = new (uint, byte, int)[count];
        for (int made = 0; made < count;)
        {
            int length = 8 + Pick(ref random, s_weightsV4, 100_000);
            (uint block, int blockLength) = blocks[Draw(ref random, zeal)];
            uint host = (uint)random.Next() & (uint)((1UL << (32 - blockLength)) - 1);
            uint first = (block | host) & (uint)(0xFFFF_FFFFUL << (32 - length));
            if (seen.Add(((ulong)first << 8) | (uint)length))
            {
                routes[made++] = (first, (byte)length, 1 + (int)random.Next((ulong)values));
            }
        }

        return routes;
    }

    /// <summary>IPv6 routes: distinct prefixes in the order drawn.</summary>
    /// <inheritdoc cref="V4"/>
    public static (UInt128 First, byte Length, int Value)[] V6(ulong seed, int count, int values)
    {
        var random = new SplitMix64(seed);
        var blocks = new List<ulong>();
        foreach ((int first, int last) in s_registriesV6)
        {
            // Allocations are /29 (most of them used at their first /32 only) or /32, each aligned, with gaps left for growth.
            for (ulong next = (ulong)first << 16; next <= ((ulong)last << 16 | 0xFFFF); next += 8)
            {
                if (random.Next(100) < 4)
                {
                    blocks.Add(next);
                }
            }
        }

        double[] zeal = Zeal(ref random, blocks.Count, _ => 1);
        var seen = new HashSet<(UInt128, int)>(count);
        var routes = new (UInt128, byte, int)[count];
        for (int made = 0; made < count;)
        {
            int pick = Pick(ref random, s_weightsV6, 100_000);
            int length = pick >= 0 ? 19 + pick : s_longV6[Pick(ref random, [.. s_longV6.Select(entry => entry.Weight)], s_longV6.Sum(entry => entry.Weight))].Length;
            ulong top = blocks[Draw(ref random, zeal)] << 32;

            // Of an allocation wider than a /32 the first /32 is used most; subnets are numbered from 0 up as often as at random.
            top |= (random.Next(8) == 0 ? random.Next(8) : 0) << 32;
            top |= random.Next(2) == 0 ? random.Next(1 << 16) << 16 : (random.Next(1 << 8) << (length <= 40 ? 24 : 16)) & 0xFFFF_0000;
            var address = new UInt128(top | (random.Next() & 0xFFFF), random.Next());
            UInt128 network = address & (UInt128.MaxValue << (128 - length));
            if (seen.Add((network, length)))
            {
                routes[made++] = (network, (byte)length, 1 + (int)random.Next((ulong)values));
            }
        }

        return routes;
    }

    /// <summary>Addresses drawn inside prefixes: a prefix evenly, then an address of it evenly. None of them ends early in a table for want of a route.</summary>
    public static uint[] KeysV4(ulong seed, ReadOnlySpan<(uint First, byte Length, int Value)> routes, int count)
    {
        var random = new SplitMix64(seed);
        var keys = new uint[count];
        for (int i = 0; i < count; i++)
        {
            (uint first, byte length, _) = routes[(int)random.Next((ulong)routes.Length)];
            keys[i] = first | (uint)(random.Next() & ((1UL << (32 - length)) - 1));
        }

        return keys;
    }

    /// <inheritdoc cref="KeysV4"/>
    public static UInt128[] KeysV6(ulong seed, ReadOnlySpan<(UInt128 First, byte Length, int Value)> routes, int count)
    {
        var random = new SplitMix64(seed);
        var keys = new UInt128[count];
        for (int i = 0; i < count; i++)
        {
            (UInt128 first, byte length, _) = routes[(int)random.Next((ulong)routes.Length)];
            UInt128 noise = new(random.Next(), random.Next());
            keys[i] = first | (length == 0 ? noise : noise & ((UInt128.One << (128 - length)) - 1));
        }

        return keys;
    }

    /// <summary>Running sums of how much each holder announces: log-normal, a few announce most.</summary>
    private static double[] Zeal(ref SplitMix64 random, int count, Func<int, double> size)
    {
        var sums = new double[count];
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            double normal = -6;
            for (int term = 0; term < 12; term++)
            {
                normal += random.Next(1 << 20) / (double)(1 << 20);
            }

            sums[i] = sum += Math.Sqrt(size(i)) * Math.Exp(1.2 * normal);
        }

        return sums;
    }

    private static int Draw(ref SplitMix64 random, double[] sums)
    {
        int at = Array.BinarySearch(sums, random.Next(1UL << 52) / (double)(1UL << 52) * sums[^1]);
        return Math.Min(at < 0 ? ~at : at, sums.Length - 1);
    }

    /// <summary>An index drawn by weight, or -1 for what is left of the whole.</summary>
    private static int Pick(ref SplitMix64 random, int[] weights, int whole)
    {
        int drawn = (int)random.Next((ulong)whole);
        for (int i = 0; i < weights.Length; i++)
        {
            if ((drawn -= weights[i]) < 0)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>The generator of Steele, Lea and Flood (OOPSLA 2014): its numbers never change with the runtime.</summary>
    private struct SplitMix64(ulong state)
    {
        private ulong _state = state;

        public ulong Next()
        {
            ulong z = _state += 0x9E37_79B9_7F4A_7C15;
            z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
            z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
            return z ^ (z >> 31);
        }

        public ulong Next(ulong below) => Math.BigMul(Next(), below, out _);
    }
}
