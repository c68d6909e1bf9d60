using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>Gives entries their numbers in the table so that as few routes as possible have to be written: an entry keeps its number, or takes that of the one it replaces.</summary>
/// <param name="Numbers">For each draft one of 1 or more, no two alike.</param>
/// <param name="Before">For each draft the number of the entry whose flows it takes over, 0 for none.</param>
internal readonly record struct RouteNumbers(int[] Numbers, int[] Before)
{
    private const int Mixed = -1;

    /// <summary>Numbers drafts.</summary>
    /// <param name="drafts">What routes lead to.</param>
    /// <param name="byPrefix">The draft of each route.</param>
    /// <param name="previous">The routes in force; null for none.</param>
    /// <param name="hops">Next hops of the drafts.</param>
    public static RouteNumbers Assign(List<RouteDraft> drafts, Dictionary<IpPrefix, int> byPrefix, CompiledRoutes? previous, NextHopBook hops)
    {
        var numbers = new int[drafts.Count];
        var before = new int[drafts.Count];
        var taken = new HashSet<int>();
        if (previous is not null)
        {
            KeepEqual(drafts, previous, hops, numbers, taken);
            numbers.CopyTo(before, 0);
            KeepReplaced(byPrefix, previous, numbers, before, taken);
        }

        int next = 1;
        for (int draft = 0; draft < numbers.Length; draft++)
        {
            for (; numbers[draft] == 0; next++)
            {
                if (taken.Add(next))
                {
                    numbers[draft] = next;
                }
            }
        }

        return new RouteNumbers(numbers, before);
    }

    private static void KeepEqual(List<RouteDraft> drafts, CompiledRoutes previous, NextHopBook hops, int[] numbers, HashSet<int> taken)
    {
        var before = new Dictionary<RouteDraft, int>();
        for (int number = 1; number < previous.Entries.Length; number++)
        {
            if (previous.Entries[number] is { } entry)
            {
                GroupMember[] members = [.. entry.Members.Select(member => member with { Hop = hops.Find(previous.Hops[member.Hop]) })];
                before.TryAdd(new RouteDraft(entry.Kind, members), number);
            }
        }

        for (int draft = 0; draft < numbers.Length; draft++)
        {
            if (before.TryGetValue(drafts[draft], out int number) && taken.Add(number))
            {
                numbers[draft] = number;
            }
        }
    }

    /// <summary>Where all routes of a draft led to one entry that nothing leads to any more, the group has changed and not the routes.</summary>
    private static void KeepReplaced(Dictionary<IpPrefix, int> byPrefix, CompiledRoutes previous, int[] numbers, int[] first, HashSet<int> taken)
    {
        var replaced = new int[numbers.Length];
        foreach ((IpPrefix prefix, int draft) in byPrefix)
        {
            if (numbers[draft] == 0 && replaced[draft] != Mixed)
            {
                int before = previous.Table.Find(prefix);
                first[draft] = first[draft] == 0 ? before : first[draft];
                replaced[draft] = before != 0 && (replaced[draft] == 0 || replaced[draft] == before) ? before : Mixed;
            }
        }

        for (int draft = 0; draft < numbers.Length; draft++)
        {
            if (numbers[draft] == 0 && replaced[draft] > 0 && taken.Add(replaced[draft]))
            {
                numbers[draft] = replaced[draft];
            }
        }
    }
}
