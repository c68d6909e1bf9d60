using System.Numerics;
using System.Runtime.CompilerServices;
using Dataplane.Native;

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
    private readonly MaglevTurns _turns;
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
        _turns = new MaglevTurns(order.Length);
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

            _turns.Member[i] = order[i];
            _turns.Offset[i] = _turns.Next[i] = preferences.Offset;
            _turns.Skip[i] = preferences.Skip;
            _turns.Wanted[i] = wanted[order[i]];
            if (_classes.Count == 0 || _classes[^1].Weight != member.Weight)
            {
                _classes.Add(new WeightClass(member.Weight, i));
            }

            _classes[^1].Add(wanted[order[i]]);
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
                    Round(slots, weightClass);
                }
            }
        }
    }

    /// <summary>Gives each member of a class its turn.</summary>
    private void Round<T>(T[] slots, WeightClass weightClass)
        where T : unmanaged, IBinaryInteger<T>
    {
        int size = _size, from = weightClass.First, end = weightClass.End, searches = Math.Min(Math.Max(0, _freeCount - _lastCount), end - from);
        for (int to; searches > 0; from = to)
        {
            // Searched side by side, then taken in turn: what one of them has taken, one behind it goes on from.
            int count = Math.Min(searches, FreeSlotSearch.MaxCount);
            to = from + count;
            Span<int> nexts = _turns.Next.AsSpan(from, count), skips = _turns.Skip.AsSpan(from, count), members = _turns.Member.AsSpan(from, count);
            ulong[] free = _free;
            FreeSlotSearch.Run(free, size, nexts, skips);
            for (int i = 0; i < nexts.Length && i < skips.Length && i < members.Length; i++)
            {
                int slot = nexts[i];
                while (!IsFree(free, slot))
                {
                    slot = Next(slot, skips[i], size);
                }

                free[slot >> 6] ^= 1UL << slot;
                nexts[i] = Next(slot, skips[i], size);
                slots[slot] = T.CreateTruncating(members[i]);
            }

            searches -= count;
        }

        for (; from < end; from++)
        {
            int slot = (_last ??= Collect()).Take(_turns.Next[from], _turns.Skip[from]);
            _turns.Next[from] = Next(slot, _turns.Skip[from], size);
            slots[slot] = T.CreateTruncating(_turns.Member[from]);
        }

        _freeCount -= end - weightClass.First;
        if (weightClass.MayBeDone)
        {
            Settle(weightClass);
        }
    }

    /// <summary>Lets those go that have what they want; the others move up.</summary>
    private void Settle(WeightClass weightClass)
    {
        int kept = weightClass.First;
        for (int i = weightClass.First; i < weightClass.End; i++)
        {
            if (_turns.Wanted[i] == weightClass.Turns)
            {
                Reach(i);
            }
            else
            {
                _turns.Move(i, kept++);
            }
        }

        weightClass.End = kept;
    }

    private static int Next(int slot, int skip, int size)
    {
        // In loops the compiler makes a branch of a choice, one that would be guessed wrong every other time.
        int next = slot + skip - size;
        return next + ((next >> 31) & size);
    }

    private static bool IsFree(ulong[] free, int slot) => ((free[slot >> 6] >> slot) & 1) != 0;

    /// <summary>Notes the last slot that a member took; if it had others before, whichever comes later in its order.</summary>
    private void Reach(int turn)
    {
        int skip = _turns.Skip[turn], slot = Next(_turns.Next[turn], _size - skip, _size);
        ref int reach = ref _reach[_turns.Member[turn]];
        if (reach >= 0)
        {
            int offset = _turns.Offset[turn];
            long inverse = LastSlots.Inverse(skip, _size);
            slot = LastSlots.Place(slot, offset, inverse, _size) > LastSlots.Place(reach, offset, inverse, _size) ? slot : reach;
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
        private int _fewest = int.MaxValue;
        private long _credit;

        public int Weight => weight;

        public int First { get; } = first;

        /// <summary>Behind the last member that wants slots.</summary>
        public int End { get; set; } = first;

        /// <summary>Turns that each has had, or has just now.</summary>
        public int Turns { get; private set; }

        public bool IsDone => End == First;

        /// <summary>Whether a member may have what it wants: with the same weight all want the same or one more, unless they had some before.</summary>
        public bool MayBeDone => Turns >= _fewest;

        public void Add(int wanted)
        {
            End++;
            _fewest = Math.Min(_fewest, wanted);
        }

        /// <summary>Whether the members have a turn this round, being <paramref name="fullTurn"/> what the heaviest class gains in one.</summary>
        public bool HasTurn(long fullTurn)
        {
            _credit += weight;
            if (_credit < fullTurn)
            {
                return false;
            }

            _credit -= fullTurn;
            Turns++;
            return true;
        }
    }
}
