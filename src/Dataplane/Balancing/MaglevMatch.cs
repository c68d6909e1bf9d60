namespace Dataplane.Balancing;

/// <summary>Finds the members of one table among those of the next.</summary>
internal static class MaglevMatch
{
    /// <summary>In place of an index: the member is in the next table no more.</summary>
    public const int Gone = -1;

    /// <summary>Differences up to which the lists are compared side by side; with more of them everything is looked up.</summary>
    private const int MaxDifferences = 16;

    /// <summary>The index among the next members of each member now, or <see cref="Gone"/>.</summary>
    /// <exception cref="ArgumentException">Two of the next members have one identity.</exception>
    public static int[] Of(ReadOnlySpan<MaglevMember> now, ReadOnlySpan<MaglevMember> next)
    {
        var indices = new int[now.Length];
        return TrySideBySide(now, next, indices) ? indices : LookUp(now, next, indices);
    }

    /// <summary>Most changes are of one backend, and the lists the same but for it.</summary>
    private static bool TrySideBySide(ReadOnlySpan<MaglevMember> now, ReadOnlySpan<MaglevMember> next, int[] indices)
    {
        Span<int> gone = stackalloc int[MaxDifferences], come = stackalloc int[MaxDifferences];
        int goneCount = 0, comeCount = 0, i = 0, j = 0;
        while (i < now.Length || j < next.Length)
        {
            if (i < now.Length && j < next.Length && now[i].Identity == next[j].Identity)
            {
                indices[i++] = j++;
                continue;
            }

            if (goneCount == MaxDifferences || comeCount == MaxDifferences)
            {
                return false;
            }

            bool onlyGone = j == next.Length || (i + 1 < now.Length && now[i + 1].Identity == next[j].Identity);
            bool onlyCome = !onlyGone && (i == now.Length || (j + 1 < next.Length && now[i].Identity == next[j + 1].Identity));
            if (!onlyCome)
            {
                indices[i] = Gone;
                gone[goneCount++] = i++;
            }

            if (!onlyGone)
            {
                come[comeCount++] = j++;
            }
        }

        return Settle(now, next, indices, gone[..goneCount], come[..comeCount]);
    }

    /// <summary>What came may be what went, at another place; or be there already, which the slow way says in words.</summary>
    private static bool Settle(ReadOnlySpan<MaglevMember> now, ReadOnlySpan<MaglevMember> next, int[] indices, ReadOnlySpan<int> gone, ReadOnlySpan<int> come)
    {
        for (int k = 0; k < come.Length; k++)
        {
            ulong identity = next[come[k]].Identity;
            foreach (int other in come[..k])
            {
                if (next[other].Identity == identity)
                {
                    return false;
                }
            }

            for (int i = 0; i < now.Length; i++)
            {
                if (now[i].Identity == identity)
                {
                    if (!gone.Contains(i))
                    {
                        return false;
                    }

                    indices[i] = come[k];
                }
            }
        }

        return true;
    }

    private static int[] LookUp(ReadOnlySpan<MaglevMember> now, ReadOnlySpan<MaglevMember> next, int[] indices)
    {
        var byIdentity = new Dictionary<ulong, int>(next.Length);
        for (int j = 0; j < next.Length; j++)
        {
            if (!byIdentity.TryAdd(next[j].Identity, j))
            {
                throw MaglevOrder.Twice(byIdentity[next[j].Identity], j, next[j].Identity);
            }
        }

        for (int i = 0; i < now.Length; i++)
        {
            indices[i] = byIdentity.GetValueOrDefault(now[i].Identity, Gone);
        }

        return indices;
    }
}
