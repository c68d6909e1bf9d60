using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Balancing;

/// <summary>The last free slots of a table, of which each member's next preference is computed instead of searched.</summary>
/// <remarks>
/// With k of n slots free a search probes n / k of them, more and more: the last hundredth of the slots takes half of all probes. The
/// inverse of a permutation tells at which place in a member's order a slot stands, <c>(slot - next) * skip^-1 mod n</c>; the free
/// slot with the lowest place is the one the search would find. Numbers are doubles: no product has more than 46 bits, so all are exact.
/// </remarks>
internal sealed class LastSlots
{
    /// <summary>The most slots this takes.</summary>
    public const int MaxCount = 1 << IndexBits;

    private const int IndexBits = 12;

    private readonly double[] _slots;
    private readonly int _size;
    private int _count, _inverseOf, _inverse;

    /// <summary>Takes the free slots.</summary>
    /// <param name="slots">At most <see cref="MaxCount"/>.</param>
    /// <param name="size">All slots of the table, a prime.</param>
    public LastSlots(ReadOnlySpan<int> slots, int size)
    {
        _size = size;
        _count = slots.Length;
        _slots = new double[(slots.Length + Vector512<double>.Count - 1) & -Vector512<double>.Count];
        for (int i = 0; i < slots.Length; i++)
        {
            _slots[i] = slots[i];
        }
    }

    /// <summary>Below how many free slots computing is faster than searching. About where n / k probes cost as much as k places and an inverse.</summary>
    public static int Worthwhile(int size) => Math.Min((int)Math.Sqrt(2.0 * size), MaxCount);

    /// <summary>The place of a slot in an order of preference, from 0.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="offset">Where the order begins.</param>
    /// <param name="inverse">Of the order's skip.</param>
    /// <param name="size">All slots of the table, a prime.</param>
    public static int Place(int slot, int offset, long inverse, int size) => (int)((slot - offset + (slot < offset ? size : 0)) * inverse % size);

    /// <summary>The number whose product with <paramref name="value"/> is 1 modulo a prime: Euclid's algorithm.</summary>
    public static int Inverse(int value, int prime)
    {
        int inverse = 1, before = 0, rest = value, divisor = prime;
        while (rest != 1)
        {
            int quotient = divisor / rest;
            (divisor, rest) = (rest, divisor - (quotient * rest));
            (before, inverse) = (inverse, before - (quotient * inverse));
        }

        return inverse < 0 ? inverse + prime : inverse;
    }

    /// <summary>Takes the slot that comes first in a member's order from where it stands.</summary>
    /// <param name="next">Where it stands.</param>
    /// <param name="skip">From a preference to the next.</param>
    public int Take(int next, int skip)
    {
        if (_inverseOf != skip)
        {
            _inverseOf = skip;
            _inverse = Inverse(skip, _size);
        }

        // Filled up with the first slot once more: of equal places the lower index is found.
        for (int i = _count; (i & (Vector512<double>.Count - 1)) != 0; i++)
        {
            _slots[i] = _slots[0];
        }

        int index = First((int)((long)next * _inverse % _size));
        int slot = (int)_slots[index];
        _slots[index] = _slots[--_count];
        return slot;
    }

    /// <summary>The index of the slot with the lowest place in the order that stands at place <paramref name="passed"/>.</summary>
    private int First(int passed)
    {
        const int Lanes = 8;
        Vector512<double> inverse = Vector512.Create((double)_inverse), begin = Vector512.Create((double)(_size - passed));
        Vector512<double> size = Vector512.Create((double)_size), perSize = Vector512.Create(1.0 / _size), half = Vector512.Create(0.5);
        Vector512<double> scale = Vector512.Create((double)MaxCount), lanes = Vector512.Create((double)Lanes);
        Vector512<double> index = Vector512.Create(0.0, 1, 2, 3, 4, 5, 6, 7), best = Vector512.Create(double.MaxValue);
        foreach (Vector512<double> slots in MemoryMarshal.Cast<double, Vector512<double>>(_slots.AsSpan(0, (_count + Lanes - 1) & -Lanes)))
        {
            // A half more keeps the quotient off the whole numbers, where rounding might bring it down.
            Vector512<double> product = (slots * inverse) + begin, place = product - (Vector512.Floor((product + half) * perSize) * size);
            best = Vector512.MinNative(best, (place * scale) + index);
            index += lanes;
        }

        double first = best[0];
        for (int lane = 1; lane < Lanes; lane++)
        {
            first = Math.Min(first, best[lane]);
        }

        return (int)((long)first & (MaxCount - 1));
    }
}
