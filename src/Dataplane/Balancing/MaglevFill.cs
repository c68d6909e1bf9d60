namespace Dataplane.Balancing;

/// <summary>Fills the slots of a <see cref="MaglevTable"/>, all of them or those that have to move. Used once, by the control side.</summary>
/// <remarks>
/// Members take turns, and at its turn a member takes its most preferred free slot. In a round the members of the highest weight
/// have a turn each and the others as often as their weight asks, until each has its target. The order of turns is by weight,
/// then by identity: members of one weight stand together, so that a round can pass over all of them at once.
/// </remarks>
internal sealed class MaglevFill
{
    /// <summary>In place of a member: the slot is nobody's.</summary>
    public const int Free = -1;

    private readonly Func<ulong, int, MaglevPermutation> _permutation;
    private readonly Dictionary<ulong, int> _byIdentity = [];
    private readonly int[] _turns;
    private readonly ulong[] _freeBits;
    private readonly int[] _targets;
    private int _freeCount;

    public MaglevFill(MaglevMember[] members, int size, Func<ulong, int, MaglevPermutation> permutation)
    {
        Members = members;
        Size = size;
        _permutation = permutation;
        for (int member = 0; member < members.Length; member++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(members[member].Weight, nameof(members));
            if (!_byIdentity.TryAdd(members[member].Identity, member))
            {
                throw new ArgumentException(
                    $"Members {_byIdentity[members[member].Identity]} and {member} have one identity, {members[member].Identity:x16}; each backend may stand in a table once.",
                    nameof(members));
            }
        }

        _turns = [.. Enumerable.Range(0, members.Length).OrderByDescending(member => members[member].Weight).ThenBy(member => members[member].Identity)];
        Slots = new int[size];
        SlotCounts = new int[members.Length];
        _targets = new int[members.Length];
        _freeBits = new ulong[(size + 63) / 64];
    }

    public MaglevMember[] Members { get; }

    public int Size { get; }

    /// <summary>The member of every slot, or <see cref="Free"/>.</summary>
    public int[] Slots { get; }

    /// <summary>The slots of every member.</summary>
    public int[] SlotCounts { get; }

    /// <summary>Whether no member has weight, so that every slot stays free.</summary>
    public bool IsEmpty => Members.All(member => member.Weight == 0);

    /// <summary>The member of an identity, or -1.</summary>
    public int IndexOf(ulong identity) => _byIdentity.GetValueOrDefault(identity, Free);

    /// <summary>Fills every slot, unless no member has weight.</summary>
    /// <param name="before">The member of every slot or <see cref="Free"/>, where slots had members already; those that may stay do.</param>
    public void Run(int[]? before = null)
    {
        Begin(before);

        // Ties are settled in the order of turns, or the table would depend on the order of the input.
        int[] shares = Weights.Share([.. _turns.Select(member => Members[member].Weight)], Size, [.. _turns.Select(member => SlotCounts[member])]);
        var permutations = new MaglevPermutation[Members.Length];
        for (int turn = 0; turn < _turns.Length; turn++)
        {
            int member = _turns[turn];
            _targets[member] = shares[turn];
            permutations[member] = _permutation(Members[member].Identity, Size);
            Release(member, permutations[member]);
        }

        if (!IsEmpty)
        {
            HandOut(permutations);
        }
    }

    private void Begin(int[]? before)
    {
        for (int slot = 0; slot < Size; slot++)
        {
            int member = before is null ? Free : before[slot];
            if (member == Free)
            {
                SetFree(slot);
            }
            else
            {
                Slots[slot] = member;
                SlotCounts[member]++;
            }
        }
    }

    /// <summary>Walks a member's preferences from the last one up and frees its slots until it has no more than its target.</summary>
    private void Release(int member, MaglevPermutation permutation)
    {
        int slot = permutation.Offset;
        for (int surplus = SlotCounts[member] - _targets[member]; surplus > 0;)
        {
            slot -= permutation.Skip;
            slot += slot < 0 ? Size : 0;
            if (Slots[slot] == member)
            {
                SetFree(slot);
                SlotCounts[member]--;
                surplus--;
            }
        }
    }

    private void HandOut(MaglevPermutation[] permutations)
    {
        int[] next = Array.ConvertAll(permutations, permutation => permutation.Offset);
        List<WeightClass> classes = WeightClasses();
        int heaviest = 0;
        while (_freeCount > 0)
        {
            while (classes[heaviest].Wanted == 0)
            {
                heaviest++;
            }

            long fullTurn = classes[heaviest].Weight;
            for (int index = heaviest; index < classes.Count; index++)
            {
                WeightClass weightClass = classes[index];
                if (weightClass.Wanted == 0 || !weightClass.HasTurn(fullTurn))
                {
                    continue;
                }

                for (int turn = weightClass.FirstTurn; turn < weightClass.EndTurn; turn++)
                {
                    int member = _turns[turn];
                    if (SlotCounts[member] < _targets[member])
                    {
                        next[member] = Take(member, next[member], permutations[member].Skip);
                        weightClass.Wanted--;
                    }
                }
            }
        }
    }

    /// <summary>Takes the first free slot from a position on and returns the position behind it.</summary>
    private int Take(int member, int slot, int skip)
    {
        while ((_freeBits[slot >> 6] & (1UL << slot)) == 0)
        {
            slot += skip;
            slot -= slot >= Size ? Size : 0;
        }

        _freeBits[slot >> 6] &= ~(1UL << slot);
        _freeCount--;
        Slots[slot] = member;
        SlotCounts[member]++;
        slot += skip;
        return slot - (slot >= Size ? Size : 0);
    }

    private void SetFree(int slot)
    {
        _freeBits[slot >> 6] |= 1UL << slot;
        _freeCount++;
        Slots[slot] = Free;
    }

    private List<WeightClass> WeightClasses()
    {
        var classes = new List<WeightClass>();
        for (int turn = 0; turn < _turns.Length; turn++)
        {
            int member = _turns[turn];
            if (classes.Count == 0 || classes[^1].Weight != Members[member].Weight)
            {
                classes.Add(new WeightClass(Members[member].Weight, turn));
            }

            classes[^1].EndTurn = turn + 1;
            classes[^1].Wanted += _targets[member] - SlotCounts[member];
        }

        return classes;
    }

    /// <summary>The members of one weight, side by side in the order of turns.</summary>
    private sealed class WeightClass(int weight, int firstTurn)
    {
        private long _credit;

        public int Weight => weight;

        public int FirstTurn => firstTurn;

        public int EndTurn { get; set; }

        /// <summary>Slots its members still have to get.</summary>
        public int Wanted { get; set; }

        /// <summary>Whether the members have a turn this round, being <paramref name="fullTurn"/> what the heaviest class gains in one.</summary>
        public bool HasTurn(long fullTurn)
        {
            _credit += weight;
            if (_credit < fullTurn)
            {
                return false;
            }

            _credit -= fullTurn;
            return true;
        }
    }
}
