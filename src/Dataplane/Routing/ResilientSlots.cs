namespace Dataplane.Routing;

/// <summary>Divides the slots of a group among its next hops by weight, and divides them anew so that as few as possible change hands. Control side.</summary>
/// <remarks>
/// A flow's hash picks a slot, so a slot that changes hands moves the flows on it. When next hops leave, only their slots move; when some join,
/// slots move only to them; when weights change, the fewest move that bring every share to its exact value within one slot.
/// </remarks>
internal static class ResilientSlots
{
    /// <summary>Divides slots.</summary>
    /// <param name="slots">The next hop of each slot now, -1 for none; not changed.</param>
    /// <param name="before">The members that <paramref name="slots"/> was made for.</param>
    /// <param name="members">The members from now on, each next hop once.</param>
    /// <returns>The next hop of each slot; all -1 when no member has a weight.</returns>
    /// <exception cref="ArgumentException">A next hop that stands there twice, or a negative weight.</exception>
    public static int[] Divide(ReadOnlySpan<int> slots, IReadOnlyList<GroupMember> before, IReadOnlyList<GroupMember> members)
    {
        var shares = new Share[members.Count];
        var index = new Dictionary<int, int>(members.Count);
        long sum = 0;
        for (int i = 0; i < shares.Length; i++)
        {
            GroupMember member = members[i];
            if (member.Weight < 0 || !index.TryAdd(member.Hop, i))
            {
                throw new ArgumentException($"{member}: a weight is 0 or more and a next hop is a member once.", nameof(members));
            }

            sum += member.Weight;
        }

        int[] divided = slots.ToArray();
        if (sum == 0)
        {
            divided.AsSpan().Fill(-1);
            return divided;
        }

        Dictionary<int, int> weightsBefore = before.ToDictionary(member => member.Hop, member => member.Weight);
        bool sameWeights = true;
        for (int i = 0; i < shares.Length; i++)
        {
            bool isNew = !weightsBefore.TryGetValue(members[i].Hop, out int weight) || weight == 0;
            sameWeights &= isNew || weight == members[i].Weight;
            shares[i] = new Share { Exact = (double)slots.Length * members[i].Weight / sum, IsNew = isNew };
        }

        Fill(divided, members, index, shares);
        bool onlyLeft = sameWeights && !shares.Any(share => share.IsNew && share.Exact > 0);
        if (!onlyLeft)
        {
            Balance(divided, members, index, shares, onlyToNew: sameWeights);
        }

        return divided;
    }

    /// <summary>Counts what members hold and gives slots without a member, one by one, to whoever lacks most.</summary>
    private static void Fill(int[] slots, IReadOnlyList<GroupMember> members, Dictionary<int, int> index, Share[] shares)
    {
        var free = new Queue<int>();
        for (int slot = 0; slot < slots.Length; slot++)
        {
            if (slots[slot] >= 0 && index.TryGetValue(slots[slot], out int member) && shares[member].Exact > 0)
            {
                shares[member].Held++;
            }
            else
            {
                free.Enqueue(slot);
            }
        }

        var lacking = new PriorityQueue<int, double>();
        for (int i = 0; i < shares.Length; i++)
        {
            if (shares[i].Exact > 0)
            {
                lacking.Enqueue(i, -shares[i].Lack);
            }
        }

        while (free.TryDequeue(out int slot))
        {
            int most = lacking.Dequeue();
            slots[slot] = members[most].Hop;
            shares[most].Held++;
            lacking.Enqueue(most, -shares[most].Lack);
        }
    }

    /// <summary>Moves slots from who has most too many to who lacks most, as long as a move brings the two nearer to their shares.</summary>
    private static void Balance(int[] slots, IReadOnlyList<GroupMember> members, Dictionary<int, int> index, Share[] shares, bool onlyToNew)
    {
        var owned = new Stack<int>[shares.Length];
        for (int slot = slots.Length - 1; slot >= 0; slot--)
        {
            (owned[index[slots[slot]]] ??= new Stack<int>()).Push(slot);
        }

        // A next hop of weight 0 holds nothing by now, so it is never the one with too many.
        while (true)
        {
            int least = -1, most = -1;
            for (int i = 0; i < shares.Length; i++)
            {
                least = (!onlyToNew || shares[i].IsNew) && (least < 0 || shares[i].Lack > shares[least].Lack) ? i : least;
                most = shares[i].Held > 0 && (most < 0 || shares[i].Lack < shares[most].Lack) ? i : most;
            }

            if (shares[least].Lack - shares[most].Lack <= 1 + 1e-9)
            {
                return;
            }

            int slot = owned[most].Pop();
            slots[slot] = members[least].Hop;
            shares[most].Held--;
            shares[least].Held++;
        }
    }

    private struct Share
    {
        public double Exact;
        public int Held;
        public bool IsNew;

        public readonly double Lack => Exact - Held;
    }
}
