using Dataplane.Balancing;
using Dataplane.Hashing;

namespace Dataplane.Tests.Balancing;

/// <summary>The pseudocode of the paper as it stands (section 3.4): permutations written out, every probe a division; and the same with weights.</summary>
internal static class TextbookMaglev
{
    public static ulong[] Preferences(ulong identity, int size)
    {
        ulong offset = XxHash64.Hash(identity, 0) % (ulong)size, skip = (XxHash64.Hash(identity, 1) % (ulong)(size - 1)) + 1;
        return [.. Enumerable.Range(0, size).Select(j => (offset + ((ulong)j * skip)) % (ulong)size)];
    }

    /// <summary>The identity that owns each slot; members take turns in the order given.</summary>
    public static ulong[] Build(ulong[] identities, int size)
    {
        ulong[][] permutation = [.. identities.Select(identity => Preferences(identity, size))];
        var next = new int[identities.Length];
        var entry = new ulong?[size];
        for (int filled = 0; ;)
        {
            for (int i = 0; i < identities.Length; i++)
            {
                ulong candidate = permutation[i][next[i]];
                while (entry[candidate] is not null)
                {
                    candidate = permutation[i][++next[i]];
                }

                entry[candidate] = identities[i];
                next[i]++;
                if (++filled == size)
                {
                    return [.. entry.Select(owner => owner!.Value)];
                }
            }
        }
    }

    /// <summary>The member of each slot, with weights; -1 when none has weight.</summary>
    /// <remarks>
    /// Members stand by weight, then by identity. In a round each gains its weight and has a turn for what the heaviest that still
    /// wants slots gains, until each has its share by largest remainder.
    /// </remarks>
    public static int[] Build(MaglevMember[] members, int size)
    {
        int[] order = [.. Enumerable.Range(0, members.Length).OrderByDescending(i => members[i].Weight).ThenBy(i => members[i].Identity)];
        int[] wanted = Weights.Share([.. order.Select(i => members[i].Weight)], size);
        ulong[][] permutation = [.. order.Select(i => Preferences(members[i].Identity, size))];
        var next = new int[order.Length];
        var credit = new long[order.Length];
        int[] entry = [.. Enumerable.Repeat(-1, size)];
        while (wanted.Any(slots => slots > 0))
        {
            long full = members[order[Array.FindIndex(wanted, slots => slots > 0)]].Weight;
            for (int i = 0; i < order.Length; i++)
            {
                credit[i] += wanted[i] > 0 ? members[order[i]].Weight : 0;
                if (wanted[i] == 0 || credit[i] < full)
                {
                    continue;
                }

                credit[i] -= full;
                wanted[i]--;
                while (entry[permutation[i][next[i]]] >= 0)
                {
                    next[i]++;
                }

                entry[permutation[i][next[i]]] = order[i];
            }
        }

        return entry;
    }
}
