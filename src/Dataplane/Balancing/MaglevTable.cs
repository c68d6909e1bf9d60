using System.Collections.ObjectModel;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Dataplane.Balancing;

/// <summary>Consistent hashing by a table of slots (Eisenbud et al., Maglev, NSDI 2016, section 3.4), with weights.</summary>
/// <remarks>
/// <para><see cref="Build(IReadOnlyList{MaglevMember}, int)"/> depends on the members and the size alone, not on their order:
/// every process that knows the same members has the same table. <see cref="Change"/> moves as few slots as the new weights
/// allow, fewer than building anew would, but what it gives depends on the table it began with; <see cref="Rebuild"/> leads back
/// to what all agree on. In all of them every member has its exact share of the slots rounded down or up.</para>
/// <para>Every slot knows in which <see cref="Epoch"/> it changed its member last: only flows whose slots changed while older flows
/// live need to be remembered one by one. Immutable: read by any number of threads.</para>
/// </remarks>
public sealed class MaglevTable
{
    /// <summary>The number of slots the paper uses, good for up to some 650 members.</summary>
    public const int DefaultSize = 65537;

    /// <summary>The largest number of slots, a prime.</summary>
    public const int MaxSize = 5_000_011;

    private readonly ushort[] _narrow = [];
    private readonly int[] _wide = [];
    private readonly byte[] _ages = [];
    private readonly int[] _slotCounts;

    // Of each member a slot behind which it has none in its order of preference, so that what it would give up first is found at once.
    private readonly int[] _reach;
    private readonly MaglevMember[] _members;
    private readonly Func<ulong, int, MaglevPermutation> _permutation;

    private MaglevTable(MaglevMember[] members, int[] slotCounts, int[] reach, Array slots, int size, Func<ulong, int, MaglevPermutation> permutation)
    {
        _members = members;
        _slotCounts = slotCounts;
        _reach = reach;
        _permutation = permutation;
        Size = size;
        Members = members.AsReadOnly();
        _narrow = slots as ushort[] ?? [];
        _wide = slots as int[] ?? [];
    }

    private MaglevTable(MaglevTable before, MaglevTable after, ReadOnlySpan<int> changed, int slotsMoved, int minimumSlotsMoved)
        : this(after._members, after._slotCounts, after._reach, after._narrow.Length > 0 ? after._narrow : after._wide, after.Size, after._permutation)
    {
        Epoch = before.Epoch + 1;
        _ages = SlotAges.Next(before._ages, Size, changed);
        SlotsMoved = slotsMoved;
        MinimumSlotsMoved = minimumSlotsMoved;
    }

    /// <summary>The number of slots.</summary>
    public int Size { get; }

    /// <summary>The members in the order they were given; what a lookup returns is an index into them.</summary>
    public ReadOnlyCollection<MaglevMember> Members { get; }

    /// <summary>0 for a table that was built; with every change one more than that of the table it began with.</summary>
    public long Epoch { get; }

    /// <summary>Slots that had a member before the last change and have another, or none, since; 0 for a table that was built.</summary>
    public int SlotsMoved { get; }

    /// <summary>The fewest slots any table could have moved in the last change in which every member has its exact share rounded down or up.</summary>
    /// <remarks>For <see cref="Rebuild"/>: with as many slots for each member as it has.</remarks>
    public int MinimumSlotsMoved { get; }

    /// <summary>Builds a table.</summary>
    /// <param name="members">In any order; with different identities.</param>
    /// <param name="size">Slots: a prime from 2 to <see cref="MaxSize"/>. At least 100 times the members keeps shares within 1 % of the weights.</param>
    /// <exception cref="ArgumentException">The size is no prime, or two members have one identity.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range, or a weight is negative.</exception>
    public static MaglevTable Build(IReadOnlyList<MaglevMember> members, int size = DefaultSize) => Build(members, size, MaglevPermutation.Of);

    /// <summary>Builds a table with orders of preference of another origin.</summary>
    /// <param name="members">In any order; with different identities.</param>
    /// <param name="size">Slots: a prime from 2 to <see cref="MaxSize"/>.</param>
    /// <param name="permutation">The order of the member of an identity in a table of so many slots: the same whenever it is asked.</param>
    /// <exception cref="ArgumentException">The size is no prime, two members have one identity, or what the source gives is no permutation.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range, or a weight is negative.</exception>
    public static MaglevTable Build(IReadOnlyList<MaglevMember> members, int size, Func<ulong, int, MaglevPermutation> permutation)
    {
        ArgumentNullException.ThrowIfNull(members);
        ArgumentNullException.ThrowIfNull(permutation);
        CheckSize(size);
        MaglevMember[] all = [.. members];
        int[] shares = MaglevShares.Of(all, size, []);
        if (shares.AsSpan().Contains(0))
        {
            // Members with slots are compared when their turns are put in order.
            MaglevOrder.CheckUnique(all);
        }

        return Fill(all, shares, size, permutation);
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
        MaglevMember[] next = [.. members];
        int[] indices = MaglevMatch.Of(_members, next);
        var held = new int[next.Length];
        for (int member = 0; member < indices.Length; member++)
        {
            if (indices[member] != MaglevMatch.Gone)
            {
                held[indices[member]] = _slotCounts[member];
            }
        }

        int[] shares = MaglevShares.Of(next, Size, held);
        if (_narrow.Length == 0 && _wide.Length == 0)
        {
            return new MaglevTable(this, Fill(next, shares, Size, _permutation), EverySlot(), 0, 0);
        }

        var surplus = new int[indices.Length];
        for (int member = 0; member < surplus.Length; member++)
        {
            surplus[member] = Math.Max(0, _slotCounts[member] - (indices[member] == MaglevMatch.Gone ? 0 : shares[indices[member]]));
        }

        return next.Length <= ushort.MaxValue + 1 && _narrow.Length > 0
            ? Change(_narrow, next, indices, surplus, held, shares)
            : Change(_wide.Length > 0 ? _wide : Array.ConvertAll(_narrow, member => (int)member), next, indices, surplus, held, shares);
    }

    /// <summary>The table that <see cref="Build(IReadOnlyList{MaglevMember}, int)"/> makes of these members, in the next epoch.</summary>
    /// <remarks>For gateways that came to the same members by different changes and are to agree again; moves more slots than a change does.</remarks>
    public MaglevTable Rebuild()
    {
        int[] shares = MaglevShares.Of(_members, Size, []);
        MaglevTable built = Fill(_members, shares, Size, _permutation);
        var moved = new List<int>();
        for (int slot = 0; slot < Size; slot++)
        {
            if (MemberAt(slot) != built.MemberAt(slot))
            {
                moved.Add(slot);
            }
        }

        int minimum = 0;
        for (int member = 0; member < shares.Length; member++)
        {
            minimum += Math.Max(0, _slotCounts[member] - shares[member]);
        }

        return new MaglevTable(this, built, CollectionsMarshal.AsSpan(moved), moved.Count, minimum);
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

    /// <summary>The epoch in which a slot changed its member last; 0 if it never did.</summary>
    /// <remarks>What is more than 255 epochs old is given as 255 epochs old: never earlier than it was.</remarks>
    /// <param name="slot">0 to <see cref="Size"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    public long EpochOf(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Size, nameof(slot));
        return (uint)slot < (uint)_ages.Length ? Epoch - _ages[slot] : 0;
    }

    /// <summary>Whether the slot of a flow has changed its member since an epoch, so that the flow may have begun with another.</summary>
    /// <remarks>A flow of which this is false needs no entry of its own: the table alone leads it where it always went.</remarks>
    /// <param name="hash">As in <see cref="Lookup"/>.</param>
    /// <param name="epoch">The one in which the oldest flow that counts began.</param>
    public bool HasMovedSince(uint hash, long epoch)
    {
        uint slot = (uint)(((ulong)hash * (uint)Size) >> 32);
        return slot < (uint)_ages.Length && Epoch - _ages[slot] > epoch;
    }

    /// <summary>How many slots a member has.</summary>
    /// <param name="member">Index into <see cref="Members"/>.</param>
    public int SlotsOf(int member) => _slotCounts[member];

    private static MaglevTable Fill(MaglevMember[] members, int[] shares, int size, Func<ulong, int, MaglevPermutation> permutation)
    {
        var reach = new int[members.Length];
        Array.Fill(reach, -1);
        Array slots = Array.TrueForAll(shares, share => share == 0) ? Array.Empty<ushort>()
            : members.Length <= ushort.MaxValue + 1 ? Fill(new ushort[size], members, shares, permutation, reach)
            : Fill(new int[size], members, shares, permutation, reach);
        return new MaglevTable(members, shares, reach, slots, size, permutation);
    }

    private static T[] Fill<T>(T[] slots, MaglevMember[] members, int[] shares, Func<ulong, int, MaglevPermutation> permutation, int[] reach)
        where T : unmanaged, IBinaryInteger<T>
    {
        new MaglevFill(members, shares, slots.Length, permutation, reach).Run(slots);
        return slots;
    }

    private MaglevTable Change<T>(T[] slots, MaglevMember[] next, int[] indices, int[] surplus, int[] held, int[] shares)
        where T : unmanaged, IBinaryInteger<T>
    {
        var reach = (int[])_reach.Clone();
        var change = new MaglevChange<T>(slots, _members, surplus, _slotCounts, reach, _permutation);
        int moved = change.Freed.Length;
        if (moved == Size && Array.TrueForAll(shares, share => share == 0))
        {
            return new MaglevTable(this, Fill(next, shares, Size, _permutation), EverySlot(), moved, moved);
        }

        var nextReach = new int[next.Length];
        Array.Fill(nextReach, -1);
        for (int member = 0; member < indices.Length; member++)
        {
            if (indices[member] != MaglevMatch.Gone && shares[indices[member]] > 0)
            {
                nextReach[indices[member]] = reach[member];
            }
        }

        var wanted = new int[next.Length];
        for (int member = 0; member < wanted.Length; member++)
        {
            wanted[member] = Math.Max(0, shares[member] - held[member]);
        }

        T[] after = change.Renumber(indices);
        new MaglevFill(next, wanted, Size, _permutation, nextReach).Run(after, change.Freed);
        return new MaglevTable(this, new MaglevTable(next, shares, nextReach, after, Size, _permutation), change.Freed, moved, moved);
    }

    private int[] EverySlot() => [.. Enumerable.Range(0, Size)];

    private int LookupWide(uint slot) => slot < (uint)_wide.Length ? _wide[slot] : -1;

    internal static void CheckSize(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, MaxSize);
        for (int divisor = 2; divisor * divisor <= size; divisor++)
        {
            if (size % divisor == 0)
            {
                throw new ArgumentException(
                    $"A Maglev table of {size} slots is not possible: the number must be prime, and {divisor} divides it.", nameof(size));
            }
        }
    }
}
