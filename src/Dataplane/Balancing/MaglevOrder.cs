using System.Runtime.InteropServices;

namespace Dataplane.Balancing;

/// <summary>The order in which members have their turns: heavier ones first, of equal weight by identity, so that it does not depend on who tells it.</summary>
internal static class MaglevOrder
{
    /// <summary>The members that want slots, in the order of their turns.</summary>
    /// <exception cref="ArgumentException">Two of them have one identity.</exception>
    public static int[] Of(ReadOnlySpan<MaglevMember> members, ReadOnlySpan<int> wanted)
    {
        int count = members.Length - wanted.Count(0), next = 0;
        var order = new int[count];
        var identities = new ulong[count];
        for (int i = 0; i < members.Length; i++)
        {
            if (wanted[i] > 0)
            {
                order[next] = i;
                identities[next++] = members[i].Identity;
            }
        }

        Sort(identities, order);
        return ByWeight(members, order);
    }

    /// <summary>Throws if two members have one identity, whether they have weight or not.</summary>
    public static void CheckUnique(ReadOnlySpan<MaglevMember> members)
    {
        var identities = new ulong[members.Length];
        var indices = new int[members.Length];
        for (int i = 0; i < members.Length; i++)
        {
            identities[i] = members[i].Identity;
            indices[i] = i;
        }

        Sort(identities, indices);
    }

    /// <summary>What to throw when two members have one identity.</summary>
    public static ArgumentException Twice(int one, int other, ulong identity) => new(
        $"Members {Math.Min(one, other)} and {Math.Max(one, other)} have one identity, {identity:x16}; each backend may stand in a table once.");

    private static void Sort(ulong[] identities, int[] indices)
    {
        Array.Sort(identities, indices);
        for (int i = 1; i < identities.Length; i++)
        {
            if (identities[i] == identities[i - 1])
            {
                throw Twice(indices[i - 1], indices[i], identities[i]);
            }
        }
    }

    /// <summary>Moves heavier members to the front and keeps the order otherwise: counted, since most tables know few weights.</summary>
    private static int[] ByWeight(ReadOnlySpan<MaglevMember> members, int[] order)
    {
        var weights = new Dictionary<int, int>();
        foreach (int member in order)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(weights, members[member].Weight, out _)++;
        }

        if (weights.Count <= 1)
        {
            return order;
        }

        int place = 0;
        foreach ((int weight, int count) in weights.OrderByDescending(entry => entry.Key))
        {
            weights[weight] = place;
            place += count;
        }

        var sorted = new int[order.Length];
        foreach (int member in order)
        {
            sorted[CollectionsMarshal.GetValueRefOrAddDefault(weights, members[member].Weight, out _)++] = member;
        }

        return sorted;
    }
}
