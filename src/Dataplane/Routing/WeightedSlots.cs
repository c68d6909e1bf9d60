using Dataplane.Balancing;

namespace Dataplane.Routing;

/// <summary>The slots of a next-hop group: a flow's hash picks a slot, the slot names the next hop (RFC 2992, hash-threshold).</summary>
/// <remarks>The slots of a next hop lie side by side, so that a change of weights moves only the borders between regions.</remarks>
internal static class WeightedSlots
{
    /// <summary>The most slots that <see cref="Build(ReadOnlySpan{int})"/> makes.</summary>
    public const int MaxSlots = 1024;

    /// <summary>The most next hops of a group; their numbers are bytes.</summary>
    public const int MaxHops = 256;

    /// <summary>Makes as few slots as give every next hop exactly its share, or <see cref="MaxSlots"/> where those would be more.</summary>
    /// <param name="weights">0 or more for each next hop.</param>
    public static byte[] Build(ReadOnlySpan<int> weights)
    {
        int[] reduced = Weights.Reduce(weights);
        return Build(reduced, (int)Math.Min(Weights.Sum(reduced), MaxSlots));
    }

    /// <summary>Makes slots; each next hop gets its exact share of them, rounded down or up (largest remainder, of equal ones the first).</summary>
    /// <param name="weights">0 or more for each next hop; a share of less than one slot may be none.</param>
    /// <param name="slotCount">Slots, 0 or more.</param>
    /// <returns>The next hop of each slot; empty when all weights are 0.</returns>
    /// <exception cref="ArgumentException">More than <see cref="MaxHops"/> next hops.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative weight or slot count.</exception>
    public static byte[] Build(ReadOnlySpan<int> weights, int slotCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slotCount);
        if (weights.Length > MaxHops)
        {
            throw new ArgumentException($"A group of {weights.Length} next hops is more than {MaxHops}.", nameof(weights));
        }

        int[] shares = Weights.Share(weights, slotCount);
        var slots = new byte[shares.Sum()];
        int next = 0;
        for (int hop = 0; hop < shares.Length; hop++)
        {
            slots.AsSpan(next, shares[hop]).Fill((byte)hop);
            next += shares[hop];
        }

        return slots;
    }

    /// <summary>The next hop of a flow, or -1 when there is no slot.</summary>
    public static int Select(byte[] slots, uint hash)
    {
        uint slot = (uint)(((ulong)hash * (uint)slots.Length) >> 32);
        return slot < (uint)slots.Length ? slots[slot] : -1;
    }
}
