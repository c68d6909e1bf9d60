using System.Numerics;

namespace Dataplane.Balancing;

/// <summary>How many slots each member of a table is to have: its exact share rounded down or up.</summary>
internal static class MaglevShares
{
    /// <summary>Divides the slots among the members.</summary>
    /// <remarks>
    /// What is left after rounding down goes one each to members that keep a slot they have by it, so that no choice of who is rounded
    /// up would move fewer slots; then by largest remainder, of equal ones in the order of turns (heavier first, then by identity).
    /// </remarks>
    /// <param name="members">The members; when none has weight all shares are 0.</param>
    /// <param name="size">Slots to give away.</param>
    /// <param name="held">Slots each has now; empty when none has any.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative weight.</exception>
    public static int[] Of(ReadOnlySpan<MaglevMember> members, int size, ReadOnlySpan<int> held)
    {
        long sum = 0;
        foreach (ref readonly MaglevMember member in members)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(member.Weight, nameof(members));
            sum += member.Weight;
        }

        var shares = new int[members.Length];
        if (sum == 0)
        {
            return shares;
        }

        var candidates = new Candidate[members.Length];
        int keeping = 0, others = members.Length, left = size, weight = -1;
        long share = 0, remainder = 0;
        for (int i = 0; i < members.Length; i++)
        {
            if (members[i].Weight != weight)
            {
                weight = members[i].Weight;
                (share, remainder) = Math.DivRem((long)size * weight, sum);
            }

            shares[i] = (int)share;
            left -= (int)share;
            if (remainder > 0)
            {
                bool keeps = !held.IsEmpty && held[i] > share;
                candidates[keeps ? keeping++ : --others] = new Candidate(remainder, weight, members[i].Identity, i);
            }
        }

        RoundUp(candidates.AsSpan(0, keeping), Math.Min(left, keeping), shares);
        RoundUp(candidates.AsSpan(others), Math.Max(0, left - keeping), shares);
        return shares;
    }

    private static void RoundUp(Span<Candidate> candidates, int count, int[] shares)
    {
        Select(candidates, count);
        foreach (ref readonly Candidate candidate in candidates[..count])
        {
            shares[candidate.Index]++;
        }
    }

    /// <summary>Brings the first <paramref name="count"/> of the order to the front, in any order: quickselect, by sorting when it finds bad pivots.</summary>
    private static void Select(Span<Candidate> candidates, int count)
    {
        for (int patience = 2 * BitOperations.Log2((uint)candidates.Length | 1); count > 0 && count < candidates.Length; patience--)
        {
            if (patience == 0)
            {
                candidates.Sort();
                return;
            }

            Candidate pivot = candidates[candidates.Length / 2];
            int low = 0, high = candidates.Length - 1;
            while (low <= high)
            {
                while (candidates[low].CompareTo(pivot) < 0)
                {
                    low++;
                }

                while (candidates[high].CompareTo(pivot) > 0)
                {
                    high--;
                }

                if (low <= high)
                {
                    (candidates[low], candidates[high]) = (candidates[high], candidates[low]);
                    low++;
                    high--;
                }
            }

            // Up to high all stand before the pivot or are it, from low on behind it; what lies between is the pivot.
            if (count <= high + 1)
            {
                candidates = candidates[..(high + 1)];
            }
            else
            {
                count -= low;
                candidates = candidates[low..];
            }
        }
    }

    private readonly record struct Candidate(long Remainder, int Weight, ulong Identity, int Index) : IComparable<Candidate>
    {
        public int CompareTo(Candidate other) => Remainder != other.Remainder ? (Remainder > other.Remainder ? -1 : 1)
            : Weight != other.Weight ? (Weight > other.Weight ? -1 : 1)
            : Identity.CompareTo(other.Identity);
    }
}
