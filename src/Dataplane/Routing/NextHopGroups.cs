namespace Dataplane.Routing;

/// <summary>Groups of next hops that routes share: a route names a group, a flow's hash picks the next hop in it (weighted ECMP with resilient hashing).</summary>
/// <remarks>
/// A group changes in one step for every route that names it, however many those are: its slots are an immutable array, and
/// publishing another is one store. Any number of threads may choose while one changes groups; choosing allocates nothing. See <see cref="ResilientSlots"/> for which flows move.
/// </remarks>
internal sealed class NextHopGroups
{
    /// <summary>Slots of a group unless asked for otherwise: shares are exact to one in 256.</summary>
    public const int DefaultSlots = 256;

    /// <summary>The most slots of a group.</summary>
    public const int MaxSlots = 1 << 16;

    /// <summary>What a choice gives when there is no group, or nobody in it.</summary>
    public const int NoHop = -1;

    private readonly Stack<int> _free = [];
    private readonly List<Group?> _groups = [null];
    private volatile int[][] _slots = [[]];

    /// <summary>Groups.</summary>
    public int Count => _groups.Count - 1 - _free.Count;

    /// <summary>Makes a group.</summary>
    /// <param name="members">Next hops and weights; may be empty.</param>
    /// <param name="slotCount">1 to <see cref="MaxSlots"/>.</param>
    /// <returns>Its number, 1 or more, the smallest that is free: what a route has as its value.</returns>
    /// <exception cref="ArgumentException">A next hop that stands there twice, or a negative number or weight.</exception>
    public int Add(IReadOnlyList<GroupMember> members, int slotCount = DefaultSlots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slotCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slotCount, MaxSlots);
        var empty = new int[slotCount];
        empty.AsSpan().Fill(NoHop);
        int[] slots = Divide(empty, [], members);
        if (!_free.TryPop(out int group))
        {
            group = _groups.Count;
            _groups.Add(null);
        }

        _groups[group] = new Group([.. members]);
        if (group >= _slots.Length)
        {
            int[][] grown = new int[Math.Max(16, _slots.Length * 2)][];
            _slots.CopyTo(grown, 0);
            grown.AsSpan(_slots.Length).Fill([]);
            _slots = grown;
        }

        Volatile.Write(ref _slots[group], slots);
        return group;
    }

    /// <summary>Changes who is in a group, for all its routes at once.</summary>
    /// <param name="group">From <see cref="Add"/>.</param>
    /// <param name="members">All members from now on.</param>
    /// <returns>Slots that changed hands.</returns>
    /// <exception cref="ArgumentException">No such group, a next hop that stands there twice, or a negative number or weight; nothing was changed.</exception>
    public int Change(int group, IReadOnlyList<GroupMember> members)
    {
        Group old = Checked(group);
        int[] before = _slots[group], slots = Divide(before, old.Members, members);
        int moved = 0;
        for (int slot = 0; slot < slots.Length; slot++)
        {
            moved += slots[slot] != before[slot] ? 1 : 0;
        }

        _groups[group] = old with { Members = [.. members] };
        Volatile.Write(ref _slots[group], slots);
        return moved;
    }

    /// <summary>Takes a group away; routes that still name it lead nowhere until its number is given to another.</summary>
    /// <exception cref="ArgumentException">No such group.</exception>
    public void Remove(int group)
    {
        Checked(group);
        Volatile.Write(ref _slots[group], []);
        _groups[group] = null;
        _free.Push(group);
    }

    /// <summary>Who is in a group.</summary>
    /// <exception cref="ArgumentException">No such group.</exception>
    public IReadOnlyList<GroupMember> Members(int group) => Checked(group).Members;

    /// <summary>The next hop of a flow, or <see cref="NoHop"/>.</summary>
    /// <param name="group">What a route lookup gave; any number.</param>
    /// <param name="hash">Of the flow; all its bits count.</param>
    public int Select(int group, uint hash)
    {
        int[][] groups = _slots;
        int[] slots = (uint)group < (uint)groups.Length ? Volatile.Read(ref groups[group]) : [];
        uint slot = (uint)(((ulong)hash * (uint)slots.Length) >> 32);
        return slot < (uint)slots.Length ? slots[slot] : NoHop;
    }

    /// <summary>The next hops of many flows.</summary>
    /// <param name="groups">What a route lookup gave.</param>
    /// <param name="hashes">One for each.</param>
    /// <param name="hops">Gets one for each.</param>
    /// <exception cref="ArgumentException">Fewer hashes or next hops than groups.</exception>
    public void Select(ReadOnlySpan<int> groups, ReadOnlySpan<uint> hashes, Span<int> hops)
    {
        if (hashes.Length < groups.Length || hops.Length < groups.Length)
        {
            throw new ArgumentException($"{groups.Length} groups need as many hashes and next hops, not {hashes.Length} and {hops.Length}.", nameof(groups));
        }

        hashes = hashes[..groups.Length];
        hops = hops[..groups.Length];
        for (int i = 0; i < groups.Length; i++)
        {
            hops[i] = Select(groups[i], hashes[i]);
        }
    }

    private static int[] Divide(int[] slots, IReadOnlyList<GroupMember> before, IReadOnlyList<GroupMember> members)
    {
        foreach (GroupMember member in members)
        {
            if (member.Hop < 0)
            {
                throw new ArgumentException($"{member}: the number of a next hop is 0 or more.", nameof(members));
            }
        }

        return ResilientSlots.Divide(slots, before, members);
    }

    private Group Checked(int group) => (uint)group < (uint)_groups.Count && _groups[group] is { } found
        ? found
        : throw new ArgumentException($"There is no next-hop group {group}.", nameof(group));

    private sealed record Group(GroupMember[] Members);
}
