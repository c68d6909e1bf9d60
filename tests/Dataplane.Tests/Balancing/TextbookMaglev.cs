using Dataplane.Balancing;
using Dataplane.Hashing;

namespace Dataplane.Tests.Balancing;

/// <summary>The pseudocode of the paper as it stands (section 3.4), for equal weights: permutations written out, every probe a division.</summary>
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
}
