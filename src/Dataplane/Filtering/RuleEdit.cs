namespace Dataplane.Filtering;

/// <summary>One step from an order of rules to the next.</summary>
/// <param name="Number">Place of the rule: where it is when it is removed, where it will be when it is inserted.</param>
/// <param name="IsInsert">Whether a rule comes in, not goes out.</param>
internal readonly record struct RuleEdit(int Number, bool IsInsert)
{
    /// <summary>Finds steps that lead from one order to another, or null when there are more than allowed.</summary>
    /// <remarks>Walks both at once; where they part, the nearest rule of either within sight that the other goes on with ends the difference.</remarks>
    public static List<RuleEdit>? Between(ReadOnlySpan<CompiledRule> before, ReadOnlySpan<CompiledRule> after, int max)
    {
        var edits = new List<RuleEdit>();
        int i = 0, j = 0;
        while (i < before.Length || j < after.Length)
        {
            if (i < before.Length && j < after.Length && before[i].AsksForTheSameAs(after[j]))
            {
                (i, j) = (i + 1, j + 1);
                continue;
            }

            (int removed, int inserted) = Distance(before[i..], after[j..], max - edits.Count + 1);
            if (edits.Count + removed + inserted > max)
            {
                return null;
            }

            for (int k = 0; k < removed; k++)
            {
                edits.Add(new RuleEdit(j, false));
            }

            for (int k = 0; k < inserted; k++)
            {
                edits.Add(new RuleEdit(j + k, true));
            }

            (i, j) = (i + removed, j + inserted);
        }

        return edits;
    }

    /// <summary>The least to skip in both together before they go on alike.</summary>
    private static (int Removed, int Inserted) Distance(ReadOnlySpan<CompiledRule> before, ReadOnlySpan<CompiledRule> after, int max)
    {
        for (int total = 1; total <= max; total++)
        {
            for (int removed = Math.Min(total, before.Length); removed >= 0 && total - removed <= after.Length; removed--)
            {
                int inserted = total - removed;
                bool bothEnd = removed == before.Length && inserted == after.Length;
                if (bothEnd || (removed < before.Length && inserted < after.Length && before[removed].AsksForTheSameAs(after[inserted])))
                {
                    return (removed, inserted);
                }
            }
        }

        return (max, max);
    }
}
