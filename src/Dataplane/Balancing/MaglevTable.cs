using System.Collections.ObjectModel;

namespace Dataplane.Balancing;

/// <summary>Consistent hashing by a table of slots (Eisenbud et al., Maglev, NSDI 2016, section 3.4), with weights.</summary>
/// <remarks>
/// <para><see cref="Build(IReadOnlyList{MaglevMember}, int)"/> depends on the members and the size alone, not on their order:
/// every process that knows the same members has the same table. <see cref="Change"/> moves as few slots as the new weights
/// allow, fewer than building anew would, but what it gives depends on the table it began with.</para>
/// <para>In both every member has its exact share of the slots rounded down or up. Immutable: read by any number of threads.</para>
/// </remarks>
public sealed class MaglevTable
{
    /// <summary>The number of slots the paper uses, good for up to some 650 members.</summary>
    public const int DefaultSize = 65537;

    /// <summary>The largest number of slots, a prime.</summary>
    public const int MaxSize = 5_000_011;

    private readonly ushort[] _narrow = [];
    private readonly int[] _wide = [];
    private readonly int[] _slotCounts;
    private readonly Func<ulong, int, MaglevPermutation> _permutation;

    private MaglevTable(MaglevFill fill, Func<ulong, int, MaglevPermutation> permutation, int slotsMoved, int minimumSlotsMoved)
    {
        _permutation = permutation;
        _slotCounts = fill.SlotCounts;
        Size = fill.Size;
        Members = fill.Members.AsReadOnly();
        SlotsMoved = slotsMoved;
        MinimumSlotsMoved = minimumSlotsMoved;
        if (!fill.IsEmpty && fill.Members.Length <= ushort.MaxValue + 1)
        {
            _narrow = Array.ConvertAll(fill.Slots, member => (ushort)member);
        }
        else if (!fill.IsEmpty)
        {
            _wide = fill.Slots;
        }
    }

    /// <summary>The number of slots.</summary>
    public int Size { get; }

    /// <summary>The members in the order they were given; what a lookup returns is an index into them.</summary>
    public ReadOnlyCollection<MaglevMember> Members { get; }

    /// <summary>Slots that had a member before the last <see cref="Change"/> and have another, or none, since; 0 for a table that was built.</summary>
    public int SlotsMoved { get; }

    /// <summary>The fewest slots the last <see cref="Change"/> could have moved: the sum of what every member has to give up.</summary>
    public int MinimumSlotsMoved { get; }

    /// <summary>Builds a table.</summary>
    /// <param name="members">In any order; with different identities.</param>
    /// <param name="size">Slots: a prime from 2 to <see cref="MaxSize"/>. At least 100 times the members keeps shares within 1 % of the weights.</param>
    /// <exception cref="ArgumentException">The size is no prime, or two members have one identity.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range, or a weight is negative.</exception>
    public static MaglevTable Build(IReadOnlyList<MaglevMember> members, int size = DefaultSize) => Build(members, size, MaglevPermutation.Of);

    /// <summary>Builds a table with permutations of another origin.</summary>
    internal static MaglevTable Build(IReadOnlyList<MaglevMember> members, int size, Func<ulong, int, MaglevPermutation> permutation)
    {
        ArgumentNullException.ThrowIfNull(members);
        CheckSize(size);
        var fill = new MaglevFill([.. members], size, permutation);
        fill.Run();
        return new MaglevTable(fill, permutation, 0, 0);
    }

    /// <summary>Makes the table for other members or weights out of this one; every slot that may stay with its member stays.</summary>
    /// <remarks>
    /// Members known by their identities give up the slots they prefer least; members that gain take them in their own order of
    /// preference. Does not touch this table.
    /// </remarks>
    /// <param name="members">All members from now on, in any order; indices are into this list.</param>
    /// <exception cref="ArgumentException">Two members have one identity.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A weight is negative.</exception>
    public MaglevTable Change(IReadOnlyList<MaglevMember> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        var fill = new MaglevFill([.. members], Size, _permutation);
        int[] newIndex = [.. Members.Select(member => fill.IndexOf(member.Identity))];
        var before = new int[Size];
        for (int slot = 0; slot < before.Length; slot++)
        {
            int member = MemberAt(slot);
            before[slot] = member < 0 ? MaglevFill.Free : newIndex[member];
        }

        fill.Run(before);
        int minimum = 0, moved = 0;
        for (int member = 0; member < newIndex.Length; member++)
        {
            int after = newIndex[member] < 0 ? 0 : fill.SlotCounts[newIndex[member]];
            minimum += Math.Max(0, _slotCounts[member] - after);
        }

        for (int slot = 0; slot < before.Length; slot++)
        {
            moved += MemberAt(slot) >= 0 && (before[slot] == MaglevFill.Free || fill.Slots[slot] != before[slot]) ? 1 : 0;
        }

        return new MaglevTable(fill, _permutation, moved, minimum);
    }

    /// <summary>The member of a flow, by the upper bits of its hash; -1 when no member has weight.</summary>
    /// <param name="hash">A hash whose bits are all well mixed.</param>
    public int Lookup(uint hash)
    {
        uint slot = (uint)(((ulong)hash * (uint)Size) >> 32);
        ushort[] narrow = _narrow;
        return slot < (uint)narrow.Length ? narrow[slot] : LookupWide(slot);
    }

    /// <summary>The member of a slot; -1 when no member has weight.</summary>
    /// <param name="slot">0 to <see cref="Size"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    public int MemberAt(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Size, nameof(slot));
        return (uint)slot < (uint)_narrow.Length ? _narrow[slot] : LookupWide((uint)slot);
    }

    /// <summary>How many slots a member has.</summary>
    /// <param name="member">Index into <see cref="Members"/>.</param>
    public int SlotsOf(int member) => _slotCounts[member];

    private int LookupWide(uint slot) => slot < (uint)_wide.Length ? _wide[slot] : -1;

    internal static void CheckSize(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, MaxSize);
        for (int divisor = 2; divisor * divisor <= size; divisor++)
        {
            if (size % divisor == 0)
            {
                throw new ArgumentException($"A Maglev table of {size} slots is not possible: the number must be prime, and {divisor} divides it.", nameof(size));
            }
        }
    }
}
