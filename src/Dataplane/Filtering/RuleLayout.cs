using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>Which bit stands for which rule, in lines of 512. Used by the control side.</summary>
/// <remarks>
/// Some thousand rules are too many to compare a packet with, even by bits. But most rules have a prefix that few others have: such a rule is at home there, and all
/// rules at home in prefixes close to one another share a line. A packet then needs the line of its source address, the line of its destination address, and the
/// lines of the rules that are at home nowhere. Where prefixes lie in one another, the rules of the outer ones are in the lines of all
/// the inner ones, so that one line for each address is enough. In a line, rules are in their order. Line 0 is empty.
/// </remarks>
internal sealed class RuleLayout
{
    /// <summary>Bits in a line.</summary>
    public const int LineBits = 512;

    // Up to here all rules of a packet are compared at once, in order, and none is at home anywhere.
    private const int MaxWhole = 2 * LineBits;

    // A prefix shorter than this fraction of an address is nobody's home, and neither is one that more than so many rules would be at home in or around.
    private const int ShortFraction = 4, MaxChain = LineBits / 2;

    private readonly IReadOnlyList<CompiledRule> _rules;
    private readonly List<int> _slots = [];

    private RuleLayout(IReadOnlyList<CompiledRule> rules) => _rules = rules;

    /// <summary>By bit, the number of a rule, or -1.</summary>
    public int[] Numbers { get; private set; } = [];

    /// <summary>Home prefixes of source addresses, and the line of each.</summary>
    public Dictionary<PrefixKey, int> SourceLines { get; } = [];

    /// <summary>Home prefixes of destination addresses, and the line of each.</summary>
    public Dictionary<PrefixKey, int> DestinationLines { get; } = [];

    /// <summary>The first line of rules without a home; all behind it are such as well.</summary>
    public int FirstCommon { get; private set; }

    /// <summary>Lays out rules.</summary>
    /// <param name="rules">All rules.</param>
    /// <param name="numbers">Numbers of those to lay out, ascending.</param>
    public static RuleLayout Of(IReadOnlyList<CompiledRule> rules, int[] numbers)
    {
        var layout = new RuleLayout(rules);
        if (numbers.Length <= MaxWhole)
        {
            layout.Numbers = numbers;
            return layout;
        }

        Dictionary<PrefixKey, int> sources = layout.Count(numbers, isSource: true), destinations = layout.Count(numbers, isSource: false);
        List<(PrefixKey Home, int Number)> bySource = [], byDestination = [];
        var homeless = new List<int>();
        foreach (int number in numbers)
        {
            RuleCondition rule = rules[number].Condition;
            (PrefixKey source, int sourceCount) = Home(rule.From, sources);
            (PrefixKey destination, int destinationCount) = Home(rule.To, destinations);
            if (Math.Min(sourceCount, destinationCount) == int.MaxValue)
            {
                homeless.Add(number);
            }
            else if (sourceCount <= destinationCount)
            {
                bySource.Add((source, number));
            }
            else
            {
                byDestination.Add((destination, number));
            }
        }

        layout._slots.AddRange(Enumerable.Repeat(-1, LineBits));
        layout.Place(bySource, layout.SourceLines, homeless);
        layout.Place(byDestination, layout.DestinationLines, homeless);
        layout.FirstCommon = layout._slots.Count / LineBits;
        homeless.Sort();
        foreach (int[] some in homeless.Chunk(LineBits))
        {
            layout.AddLine(some);
        }

        layout.Numbers = [.. layout._slots];
        return layout;
    }

    /// <summary>Fills lines with rules in order of their homes.</summary>
    private void Place(List<(PrefixKey Home, int Number)> rules, Dictionary<PrefixKey, int> lines, List<int> homeless)
    {
        rules.Sort();
        var around = new Stack<(PrefixKey Home, int[] Numbers, int Chain)>();
        var line = new List<int>();
        for (int i = 0, end; i < rules.Count; i = end)
        {
            PrefixKey home = rules[i].Home;
            for (end = i + 1; end < rules.Count && rules[end].Home == home; end++)
            {
            }

            int[] own = [.. rules[i..end].Select(rule => rule.Number)];
            while (around.Count > 0 && !around.Peek().Home.Contains(home))
            {
                around.Pop();
            }

            int chain = own.Length + (around.Count > 0 ? around.Peek().Chain : 0);
            if (chain > MaxChain)
            {
                homeless.AddRange(own);
                continue;
            }

            if (line.Count + own.Length > LineBits)
            {
                AddLine(line);
                line = [.. around.SelectMany(outer => outer.Numbers)];
            }

            line.AddRange(own);
            lines[home] = _slots.Count / LineBits;
            around.Push((home, own, chain));
        }

        if (line.Count > 0)
        {
            AddLine(line);
        }
    }

    private void AddLine(IReadOnlyCollection<int> numbers)
    {
        _slots.AddRange(numbers.Order());
        _slots.AddRange(Enumerable.Repeat(-1, LineBits - numbers.Count));
    }

    private Dictionary<PrefixKey, int> Count(int[] numbers, bool isSource)
    {
        var counts = new Dictionary<PrefixKey, int>();
        foreach (int number in numbers)
        {
            if ((isSource ? _rules[number].Condition.From : _rules[number].Condition.To) is IpPrefix prefix)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(counts, PrefixKey.Of(prefix), out _)++;
            }
        }

        return counts;
    }

    /// <summary>The prefix as a home, and how many rules name it; more than any where it is none.</summary>
    private static (PrefixKey Home, int Rules) Home(IpPrefix? prefix, Dictionary<PrefixKey, int> counts)
    {
        if (prefix is not IpPrefix given || given.Length < given.Address.BitLength / ShortFraction)
        {
            return (default, int.MaxValue);
        }

        PrefixKey key = PrefixKey.Of(given);
        return (key, counts[key]);
    }
}
