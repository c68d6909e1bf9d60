namespace Dataplane.Nat64;

/// <summary>Prefixes, of which the longest that contains an address is asked for: as intervals that do not overlap. Immutable.</summary>
/// <remarks>Cost: a binary search. Prefixes contain each other or are apart, so intervals are at most twice as many and one more.</remarks>
internal sealed class AddressIntervals
{
    private readonly UInt128[] _starts;
    private readonly int[] _numbers;

    /// <summary>Makes the intervals.</summary>
    /// <param name="ranges">First and last address of each prefix, in any order; its number is its place.</param>
    public AddressIntervals(IEnumerable<(UInt128 First, UInt128 Last)> ranges)
    {
        List<UInt128> starts = [0];
        List<int> numbers = [-1];
        var open = new Stack<(UInt128 Last, int Number)>();
        foreach ((UInt128 first, UInt128 last, int number) in ranges.Select((range, number) => (range.First, range.Last, number)).OrderBy(range => range.First).ThenByDescending(range => range.Last))
        {
            Close(starts, numbers, open, first);
            open.Push((last, number));
            Begin(starts, numbers, first, number);
        }

        Close(starts, numbers, open, null);
        (_starts, _numbers) = ([.. starts], [.. numbers]);
    }

    /// <summary>The number of the longest prefix that contains an address, or -1.</summary>
    public int Find(UInt128 address)
    {
        int low = 0, high = _starts.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            if (_starts[middle] <= address)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return _numbers[low];
    }

    /// <summary>Ends the prefixes that end before an address: behind each begins again what contains it.</summary>
    private static void Close(List<UInt128> starts, List<int> numbers, Stack<(UInt128 Last, int Number)> open, UInt128? before)
    {
        while (open.TryPeek(out (UInt128 Last, int Number) inner) && (before is not { } next || inner.Last < next))
        {
            open.Pop();
            if (inner.Last != UInt128.MaxValue)
            {
                Begin(starts, numbers, inner.Last + 1, open.TryPeek(out (UInt128 Last, int Number) outer) ? outer.Number : -1);
            }
        }
    }

    private static void Begin(List<UInt128> starts, List<int> numbers, UInt128 start, int number)
    {
        if (starts[^1] == start)
        {
            numbers[^1] = number;
        }
        else
        {
            starts.Add(start);
            numbers.Add(number);
        }
    }
}
