namespace Dataplane.Balancing;

/// <summary>Divides slots among weights. Used by the control side.</summary>
internal static class Weights
{
    /// <summary>Divides <paramref name="total"/> slots by largest remainder (Hamilton's method).</summary>
    /// <remarks>Every share is its exact value rounded down or up; of equal remainders the first is rounded up.</remarks>
    /// <param name="weights">0 or more each; 0 gets nothing. When all are 0 so are the shares.</param>
    /// <param name="total">Slots to give away, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative weight.</exception>
    public static int[] Share(ReadOnlySpan<int> weights, int total)
    {
        long sum = Sum(weights);
        var shares = new int[weights.Length];
        if (sum == 0)
        {
            return shares;
        }

        var remainders = new (long Negative, int Index)[weights.Length];
        long left = total;
        for (int i = 0; i < weights.Length; i++)
        {
            (long share, long remainder) = Math.DivRem((long)total * weights[i], sum);
            shares[i] = (int)share;
            left -= share;
            remainders[i] = (-remainder, i);
        }

        if (left > 0)
        {
            Array.Sort(remainders);
            for (int i = 0; i < left; i++)
            {
                shares[remainders[i].Index]++;
            }
        }

        return shares;
    }

    /// <summary>The sum of all weights.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative weight.</exception>
    public static long Sum(ReadOnlySpan<int> weights)
    {
        long sum = 0;
        foreach (int weight in weights)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(weight, nameof(weights));
            sum += weight;
        }

        return sum;
    }

    /// <summary>The weights divided by their greatest common divisor: the same shares in the smallest whole numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative weight.</exception>
    public static int[] Reduce(ReadOnlySpan<int> weights)
    {
        int divisor = 0;
        foreach (int weight in weights)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(weight, nameof(weights));
            divisor = GreatestCommonDivisor(divisor, weight);
        }

        int[] reduced = weights.ToArray();
        for (int i = 0; i < reduced.Length && divisor > 1; i++)
        {
            reduced[i] /= divisor;
        }

        return reduced;
    }

    private static int GreatestCommonDivisor(int a, int b)
    {
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }
}
