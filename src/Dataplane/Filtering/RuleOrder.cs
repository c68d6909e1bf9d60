using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>The order in which a classifier keeps its rules. Used by the control side.</summary>
internal static class RuleOrder
{
    // Up to here all bits of a packet are compared at once, and the first is the lowest.
    private const int MaxInOrder = 1024;

    // A prefix shorter than this fraction of an address is not what tells a rule from others.
    private const int ShortFraction = 4;

    /// <summary>The numbers of rules in the order of their bits.</summary>
    /// <remarks>
    /// Many rules stand by the prefix that tells them from most others: by the rarer one of source and destination, rules of neighbouring
    /// prefixes side by side. So a packet can match rules in a few words only, although half of all rules take any source and others any
    /// destination. Rules that take nearly any of both stand together behind. Within a word, rules are in their own order.
    /// </remarks>
    /// <param name="rules">All rules.</param>
    /// <param name="numbers">Numbers of those to order, ascending.</param>
    public static int[] Of(IReadOnlyList<CompiledRule> rules, int[] numbers)
    {
        if (numbers.Length <= MaxInOrder)
        {
            return numbers;
        }

        Dictionary<IpPrefix, int> sources = Count(rules, numbers, isSource: true), destinations = Count(rules, numbers, isSource: false);
        var keys = new Place[numbers.Length];
        for (int i = 0; i < numbers.Length; i++)
        {
            RuleCondition rule = rules[numbers[i]].Condition;
            int bySource = Rarity(rule.From, sources), byDestination = Rarity(rule.To, destinations);
            keys[i] = Math.Min(bySource, byDestination) == int.MaxValue ? new Place(2, default, numbers[i])
                : bySource <= byDestination ? new Place(0, PrefixKey.Of(rule.From!.Value), numbers[i]) : new Place(1, PrefixKey.Of(rule.To!.Value), numbers[i]);
        }

        Array.Sort(keys);
        int[] order = [.. keys.Select(key => key.Number)];
        for (int word = 0; word < order.Length; word += 64)
        {
            order.AsSpan(word, Math.Min(64, order.Length - word)).Sort();
        }

        return order;
    }

    private static Dictionary<IpPrefix, int> Count(IReadOnlyList<CompiledRule> rules, int[] numbers, bool isSource)
    {
        var counts = new Dictionary<IpPrefix, int>();
        foreach (int number in numbers)
        {
            if ((isSource ? rules[number].Condition.From : rules[number].Condition.To) is IpPrefix prefix)
            {
                counts[prefix] = counts.GetValueOrDefault(prefix) + 1;
            }
        }

        return counts;
    }

    private static int Rarity(IpPrefix? prefix, Dictionary<IpPrefix, int> counts) =>
        prefix is not IpPrefix given || given.Length < given.Address.BitLength / ShortFraction ? int.MaxValue : counts[given];

    private readonly record struct Place(int Group, PrefixKey Prefix, int Number) : IComparable<Place>
    {
        public int CompareTo(Place other)
        {
            int order = Group.CompareTo(other.Group);
            order = order != 0 ? order : Prefix.CompareTo(other.Prefix);
            return order != 0 ? order : Number.CompareTo(other.Number);
        }
    }
}
