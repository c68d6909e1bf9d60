using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Balancing;

/// <summary>Makes the slots of a table for other members out of those it has: only what has to move does. Used once, by the control side.</summary>
/// <typeparam name="T">The number a slot holds.</typeparam>
internal sealed class MaglevChange<T>
    where T : unmanaged, IBinaryInteger<T>
{
    /// <summary>Places where numbers shift up to which every slot is renumbered by adding; with more of them by looking up.</summary>
    private const int MaxShifts = 8;

    /// <summary>Members whose slots are searched one by one, 32 slots at a time; for more of them the table is read once, slot by slot.</summary>
    private const int MaxSearches = 32;

    private readonly T[] _before;
    private readonly MaglevMember[] _now;
    private readonly int[] _surplus, _counts, _reach, _freed;
    private readonly Func<ulong, int, MaglevPermutation> _permutation;
    private int _freedCount;

    /// <summary>Finds the slots that have to be given up.</summary>
    /// <param name="before">The member of every slot.</param>
    /// <param name="now">Those members.</param>
    /// <param name="surplus">How many slots each has to give up.</param>
    /// <param name="counts">How many slots each has.</param>
    /// <param name="reach">Of each member a slot behind which, in its order, it has none; brought up to date.</param>
    /// <param name="permutation">Where the orders of preference come from.</param>
    public MaglevChange(T[] before, MaglevMember[] now, int[] surplus, int[] counts, int[] reach, Func<ulong, int, MaglevPermutation> permutation)
    {
        (_before, _now, _surplus, _counts, _reach, _permutation) = (before, now, surplus, counts, reach, permutation);
        _freed = new int[surplus.Sum()];
        var left = new List<int>();
        for (int member = 0; member < surplus.Length; member++)
        {
            if (surplus[member] > 0 && !TryWalk(member))
            {
                left.Add(member);
            }
        }

        if (left.Count > MaxSearches)
        {
            SearchAll(left);
            return;
        }

        foreach (int member in left)
        {
            Search(member);
        }
    }

    /// <summary>The slots that have no member yet.</summary>
    public ReadOnlySpan<int> Freed => _freed;

    /// <summary>A copy of the slots with the new numbers of their members; what those that were freed hold has no meaning.</summary>
    /// <param name="indices">The new number of each member, or <see cref="MaglevMatch.Gone"/>.</param>
    public T[] Renumber(ReadOnlySpan<int> indices)
    {
        T[] after = GC.AllocateUninitializedArray<T>(_before.Length);
        Span<int> from = stackalloc int[MaxShifts], by = stackalloc int[MaxShifts];
        int shifts = 0, shift = 0;
        for (int member = 0; member < indices.Length; member++)
        {
            int step = indices[member] == MaglevMatch.Gone ? 0 : indices[member] - member - shift;
            if (step == 0)
            {
                continue;
            }

            // Shifts are added from the last on; none may bring a number below the place of one that is still to come.
            if (shifts == MaxShifts || step < -1)
            {
                LookUp(indices, after);
                return after;
            }

            from[shifts] = member;
            by[shifts++] = step;
            shift += step;
        }

        Shift(from[..shifts], by[..shifts], after);
        return after;
    }

    /// <summary>Frees few slots by going up from the member's last one; gives up when they lie too far apart.</summary>
    private bool TryWalk(int member)
    {
        int surplus = _surplus[member], budget = _before.Length / 16;
        if (surplus * 8 > _counts[member])
        {
            return false;
        }

        int skip = _permutation(_now[member].Identity, _before.Length).Skip, slot = _reach[member], found = 0;
        T number = T.CreateTruncating(member);
        T[] before = _before;
        while (true)
        {
            if (before[slot] == number)
            {
                _freed[_freedCount + found++] = slot;
                if (found == surplus)
                {
                    _freedCount += found;
                    _reach[member] = slot;
                    return true;
                }
            }

            if (--budget == 0)
            {
                return false;
            }

            slot -= skip;
            slot += (slot >> 31) & before.Length;
        }
    }

    private void Search(int member)
    {
        int[] slots = new int[_counts[member]];
        T number = T.CreateTruncating(member);
        for (int found = 0, at = 0; found < slots.Length; at++)
        {
            at += _before.AsSpan(at).IndexOf(number);
            slots[found++] = at;
        }

        FreeLeastPreferred(member, slots);
    }

    private void SearchAll(List<int> members)
    {
        var ends = new int[_surplus.Length];
        Array.Fill(ends, -1);
        int total = 0;
        foreach (int member in members)
        {
            ends[member] = total;
            total += _counts[member];
        }

        var slots = new int[total];
        for (int slot = 0; slot < _before.Length; slot++)
        {
            ref int end = ref ends[int.CreateTruncating(_before[slot])];
            if (end >= 0)
            {
                slots[end++] = slot;
            }
        }

        foreach (int member in members)
        {
            FreeLeastPreferred(member, slots.AsSpan(ends[member] - _counts[member], _counts[member]));
        }
    }

    /// <summary>Frees those of a member's slots that come last in its order.</summary>
    private void FreeLeastPreferred(int member, Span<int> slots)
    {
        int surplus = _surplus[member];
        if (surplus < slots.Length)
        {
            MaglevPermutation preferences = _permutation(_now[member].Identity, _before.Length);
            long inverse = LastSlots.Inverse(preferences.Skip, _before.Length);
            var places = new int[slots.Length];
            for (int i = 0; i < slots.Length; i++)
            {
                places[i] = LastSlots.Place(slots[i], preferences.Offset, inverse, _before.Length);
            }

            places.AsSpan().Sort(slots);
            _reach[member] = slots[^(surplus + 1)];
        }

        slots[^surplus..].CopyTo(_freed.AsSpan(_freedCount));
        _freedCount += surplus;
    }

    private void LookUp(ReadOnlySpan<int> indices, T[] after)
    {
        T[] numbers = new T[indices.Length];
        for (int member = 0; member < numbers.Length; member++)
        {
            numbers[member] = T.CreateTruncating(indices[member]);
        }

        for (int slot = 0; slot < after.Length; slot++)
        {
            after[slot] = numbers[int.CreateTruncating(_before[slot])];
        }
    }

    /// <summary>Adds to each number what all shifts from below it come to: one pass for each shift, from the last one to the first.</summary>
    private void Shift(ReadOnlySpan<int> from, ReadOnlySpan<int> by, T[] after)
    {
        T[] numbers = _before;
        for (int k = from.Length - 1; k >= 0; k--)
        {
            T first = T.CreateTruncating(from[k]), step = T.CreateTruncating(by[k]);
            Vector512<T> firsts = Vector512.Create(first), steps = Vector512.Create(step);
            ReadOnlySpan<Vector512<T>> source = MemoryMarshal.Cast<T, Vector512<T>>(numbers);
            Span<Vector512<T>> target = MemoryMarshal.Cast<T, Vector512<T>>(after.AsSpan());
            for (int i = 0; i < target.Length && i < source.Length; i++)
            {
                target[i] = source[i] + (Vector512.GreaterThanOrEqual(source[i], firsts) & steps);
            }

            for (int slot = target.Length * Vector512<T>.Count; slot < after.Length; slot++)
            {
                after[slot] = numbers[slot] >= first ? unchecked(numbers[slot] + step) : numbers[slot];
            }

            numbers = after;
        }

        if (from.IsEmpty)
        {
            _before.CopyTo(after, 0);
        }
    }
}
