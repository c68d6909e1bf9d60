namespace Dataplane.Balancing;

/// <summary>The order of backends for round robin: a sequence that repeats for ever, computed beforehand.</summary>
/// <remarks>
/// Smooth weighted round robin as nginx has it: at each step every backend gains its weight, the one that has most goes next and
/// pays the sum of all. In the sequence every backend stands in proportion to its weight and its turns are spread evenly
/// (weights 5, 1, 1 give a a b a c a a). Immutable; each worker keeps a position of its own.
/// </remarks>
internal sealed class WeightedSchedule
{
    /// <summary>The longest sequence for which weights are kept exactly.</summary>
    public const int MaxLength = 16384;

    private readonly int[] _sequence;

    private WeightedSchedule(int[] sequence) => _sequence = sequence;

    /// <summary>Turns before the sequence repeats; 0 when no backend has weight.</summary>
    public int Length => _sequence.Length;

    /// <summary>Makes the schedule of the weights.</summary>
    /// <param name="weights">
    /// 0 or more for each backend; 0 is left out. When their sum, divided by what they have in common, is more than
    /// <see cref="MaxLength"/>, they are scaled down to it by largest remainder, each to 1 at least.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A negative weight.</exception>
    public static WeightedSchedule Build(ReadOnlySpan<int> weights)
    {
        int[] reduced = Weights.Reduce(weights);
        if (Weights.Sum(reduced) > MaxLength)
        {
            int[] scaled = Weights.Share(reduced, MaxLength);
            for (int i = 0; i < scaled.Length; i++)
            {
                scaled[i] = reduced[i] == 0 ? 0 : Math.Max(scaled[i], 1);
            }

            reduced = Weights.Reduce(scaled);
        }

        return new WeightedSchedule(Array.TrueForAll(reduced, weight => weight <= 1) ? OneTurnEach(reduced) : Smooth(reduced));
    }

    /// <summary>Makes a schedule of one turn for each backend whose weight is not 0, in their order.</summary>
    public static WeightedSchedule BuildEqual(ReadOnlySpan<int> weights) => new(OneTurnEach(weights));

    /// <summary>The backend whose turn it is, or -1 when there is none.</summary>
    /// <param name="position">Where the worker stands in the sequence; any number to begin with, moved on by one.</param>
    public int Next(ref int position)
    {
        int[] sequence = _sequence;
        int index = position;
        if ((uint)index >= (uint)sequence.Length)
        {
            // The end, or a position in an older, longer sequence.
            index = 0;
            if (sequence.Length == 0)
            {
                return -1;
            }
        }

        position = index + 1;
        return sequence[index];
    }

    private static int[] OneTurnEach(ReadOnlySpan<int> weights)
    {
        var sequence = new List<int>();
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] > 0)
            {
                sequence.Add(i);
            }
        }

        return [.. sequence];
    }

    private static int[] Smooth(int[] weights)
    {
        int sum = (int)Weights.Sum(weights);
        var sequence = new int[sum];
        var current = new int[weights.Length];
        for (int turn = 0; turn < sequence.Length; turn++)
        {
            int best = 0;
            for (int i = 0; i < current.Length; i++)
            {
                current[i] += weights[i];
                best = current[i] > current[best] ? i : best;
            }

            current[best] -= sum;
            sequence[turn] = best;
        }

        return sequence;
    }
}
