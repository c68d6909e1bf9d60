using System.Numerics;
using System.Runtime.CompilerServices;

namespace Dataplane.Balancing;

/// <summary>Hands the free slots of a table out to the members that want some. Used once, by the control side.</summary>
/// <remarks>
/// Members take turns, and at its turn a member takes its most preferred free slot. In a round the members of the highest weight
/// have a turn each and the others as often as their weight asks, until each has what it wants. The order of turns is by weight,
/// then by identity: members of one weight stand together, so that a round can pass over all of them at once.
/// </remarks>
internal sealed class MaglevFill
{
    private readonly int _size;
    private readonly int[] _reach;
    private readonly MaglevTurn[] _turns;
    private readonly List<WeightClass> _classes = [];
    private ulong[] _free = [];
    private LastSlots? _last;
    private int _freeCount, _lastCount;

    /// <summary>Prepares the turns.</summary>
    /// <param name="members">All members; no two with one identity.</param>
    /// <param name="wanted">How many slots each is to get.</param>
    /// <param name="size">All slots of the table, a prime.</param>
    /// <param name="permutation">Where the orders of preference come from.</param>
    /// <param name="reach">Of each member the slot that comes last in its order, or -1; brought up to date.</param>
    /// <exception cref="ArgumentException">What the source gives is no permutation.</exception>
    public MaglevFill(ReadOnlySpan<MaglevMember> members, ReadOnlySpan<int> wanted, int size, Func<ulong, int, MaglevPermutation> permutation, int[] reach)
    {
        _size = size;
        _reach = reach;
        int[] order = MaglevOrder.Of(members, wanted);
        _turns = new MaglevTurn[order.Length];
        for (int i = 0; i < order.Length; i++)
        {
            ref readonly MaglevMember member = ref members[order[i]];
            MaglevPermutation preferences = permutation(member.Identity, size);
            if ((uint)preferences.Offset >= (uint)size || preferences.Skip < 1 || preferences.Skip >= size)
            {
                throw new ArgumentException(
                    $"{preferences} of member {order[i]} is no permutation of {size} slots: the offset is 0 to size - 1, the skip 1 to size - 1.",
                    nameof(permutation));
            }

            _turns[i] = new MaglevTurn
            {
                Member = order[i],
                Offset = preferences.Offset,
                Next = preferences.Offset,
                Skip = preferences.Skip,
                Wanted = wanted[order[i]],
            };
            if (_classes.Count == 0 || _classes[^1].Weight != member.Weight)
            {
                _classes.Add(new WeightClass(member.Weight, i));
            }

            _classes[^1].End = i + 1;
        }
    }

    /// <summary>Hands out all slots of a table.</summary>
    public void Run<T>(T[] slots)
        where T : unmanaged, IBinaryInteger<T>
    {
        _free = new ulong[(_size + 63) / 64];
        Array.Fill(_free, ulong.MaxValue);
        _free[^1] = ulong.MaxValue >> (-_size & 63);
        _freeCount = _size;
        HandOut(slots);
    }

    /// <summary>Hands out some slots of a table.</summary>
    public void Run<T>(T[] slots, ReadOnlySpan<int> free)
        where T : unmanaged, IBinaryInteger<T>
    {
        _freeCount = free.Length;
        if (free.Length <= LastSlots.Worthwhile(_size))
        {
            _lastCount = free.Length;
            _last = new LastSlots(free, _size);
        }
        else
        {
            _free = new ulong[(_size + 63) / 64];
            foreach (int slot in free)
            {
                _free[slot >> 6] |= 1UL << slot;
            }
        }

        HandOut(slots);
    }

    private void HandOut<T>(T[] slots)
        where T : unmanaged, IBinaryInteger<T>
    {
        _lastCount = Math.Max(_lastCount, LastSlots.Worthwhile(_size));
        for (int heaviest = 0; _freeCount > 0;)
        {
            while (_classes[heaviest].IsDone)
            {
                heaviest++;
            }

            long fullTurn = _classes[heaviest].Weight;
            for (int index = heaviest; index < _classes.Count; index++)
            {
                WeightClass weightClass = _classes[index];
                if (!weightClass.IsDone && weightClass.HasTurn(fullTurn))
                {
                    weightClass.End = Round(slots, weightClass.First, weightClass.End);
                }
            }
        }
    }

    /// <summary>Gives each member of a class its turn; those that want more move up, and the number of the last tells where they end.</summary>
    private int Round<T>(T[] slots, int first, int end)
        where T : unmanaged, IBinaryInteger<T>
    {
        // Everything the loop needs is in locals: a field would be read and written at each of a million turns.
        Span<MaglevTurn> turns = _turns.AsSpan(0, end);
        ulong[] free = _free;
        int size = _size, kept = first, searches = Math.Max(0, _freeCount - _lastCount), i = first;
        bool far = _freeCount < size / 8;
        for (; i < turns.Length && searches > 0; i++, searches--)
        {
            ref MaglevTurn turn = ref turns[i];
            int skip = turn.Skip, slot = far ? SearchFar(free, turn.Next, skip, size) : turn.Next;
            while (!IsFree(free, slot))
            {
                slot = Next(slot, skip, size);
            }

            free[slot >> 6] ^= 1UL << slot;
            turn.Next = Next(slot, skip, size);
            slots[slot] = T.CreateTruncating(turn.Member);
            Settle(turns, i, slot, ref kept);
        }

        for (; i < turns.Length; i++)
        {
            int slot = (_last ??= Collect()).Take(ref turns[i]);
            slots[slot] = T.CreateTruncating(turns[i].Member);
            Settle(turns, i, slot, ref kept);
        }

        _freeCount -= end - first;
        return kept;
    }

    /// <summary>Two searches side by side, every second preference each, so that neither waits for the other's addition.</summary>
    private static int SearchFar(ulong[] free, int slot, int skip, int size)
    {
        int twice = Next(skip, skip, size), second = Next(slot, skip, size);
        while (!IsFree(free, slot))
        {
            if (IsFree(free, second))
            {
                return second;
            }

            slot = Next(slot, twice, size);
            second = Next(second, twice, size);
        }

        return slot;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // A few instructions at every turn.
    private void Settle(Span<MaglevTurn> turns, int i, int slot, ref int kept)
    {
        if (--turns[i].Wanted == 0)
        {
            Reach(in turns[i], slot);
            return;
        }

        if (kept != i)
        {
            turns[kept] = turns[i];
        }

        kept++;
    }

    private static int Next(int slot, int skip, int size)
    {
        // In loops the compiler makes a branch of a choice, one that would be guessed wrong every other time.
        int next = slot + skip - size;
        return next + ((next >> 31) & size);
    }

    private static bool IsFree(ulong[] free, int slot) => ((free[slot >> 6] >> slot) & 1) != 0;

    /// <summary>Notes the last slot that a member took; if it had others before, whichever comes later in its order.</summary>
    private void Reach(in MaglevTurn turn, int slot)
    {
        ref int reach = ref _reach[turn.Member];
        if (reach >= 0)
        {
            long inverse = LastSlots.Inverse(turn.Skip, _size);
            slot = LastSlots.Place(slot, turn.Offset, inverse, _size) > LastSlots.Place(reach, turn.Offset, inverse, _size) ? slot : reach;
        }

        reach = slot;
    }

    private LastSlots Collect()
    {
        Span<int> slots = stackalloc int[LastSlots.MaxCount];
        int count = 0;
        for (int word = 0; word < _free.Length; word++)
        {
            for (ulong bits = _free[word]; bits != 0; bits &= bits - 1)
            {
                slots[count++] = (word * 64) + BitOperations.TrailingZeroCount(bits);
            }
        }

        return new LastSlots(slots[..count], _size);
    }

    /// <summary>The members of one weight, side by side in the order of turns.</summary>
    private sealed class WeightClass(int weight, int first)
    {
        private long _credit;

        public int Weight => weight;

        public int First => first;

        /// <summary>Behind the last member that wants slots.</summary>
        public int End { get; set; }

        public bool IsDone => End == first;

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
