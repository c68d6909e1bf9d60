namespace Dataplane.Configuration;

/// <summary>What makes one list another, by reference: which elements are not there any more, and which are new. An element that stands elsewhere is both.</summary>
/// <remarks>Costs a comparison of references for each element in front of the first change and behind the last, and a look-up or two for each between them.</remarks>
/// <param name="Removed">Positions in the list before.</param>
/// <param name="Added">Positions in the list after.</param>
internal readonly record struct ListDifference(IReadOnlyList<int> Removed, IReadOnlyList<int> Added)
{
    public bool IsEmpty => Removed.Count == 0 && Added.Count == 0;

    /// <summary>Compares.</summary>
    public static ListDifference Of<T>(IReadOnlyList<T> before, IReadOnlyList<T> after)
        where T : class
    {
        if (ReferenceEquals(before, after))
        {
            return new ListDifference([], []);
        }

        int shorter = Math.Min(before.Count, after.Count), start = 0, end = 0;
        while (start < shorter && ReferenceEquals(before[start], after[start]))
        {
            start++;
        }

        while (end < shorter - start && ReferenceEquals(before[before.Count - 1 - end], after[after.Count - 1 - end]))
        {
            end++;
        }

        return Between(before, after, start, before.Count - end, after.Count - end);
    }

    /// <summary>Compares what lies between the first change and the last.</summary>
    private static ListDifference Between<T>(IReadOnlyList<T> before, IReadOnlyList<T> after, int start, int beforeEnd, int afterEnd)
        where T : class
    {
        int[] gone = [.. Enumerable.Range(start, beforeEnd - start)], come = [.. Enumerable.Range(start, afterEnd - start)];
        if (gone.Length == 0 || come.Length == 0)
        {
            return new ListDifference(gone, come);
        }

        var now = new HashSet<object>(come.Select(at => after[at]), ReferenceEqualityComparer.Instance);
        var then = new HashSet<object>(gone.Select(at => before[at]), ReferenceEqualityComparer.Instance);
        int[] removed = Array.FindAll(gone, at => !now.Contains(before[at])), added = Array.FindAll(come, at => !then.Contains(after[at]));

        // What is in both must stand in the same order in both, and as often; otherwise all of it counts as taken out and put in again.
        bool isSameOrder = gone.Where(at => now.Contains(before[at])).Select(at => before[at])
            .SequenceEqual(come.Where(at => then.Contains(after[at])).Select(at => after[at]), ReferenceEqualityComparer.Instance);
        return isSameOrder ? new ListDifference(removed, added) : new ListDifference(gone, come);
    }
}
