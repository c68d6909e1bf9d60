using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Filtering;

internal sealed partial class RuleClassifier
{
    private RuleClassifier(IReadOnlyList<CompiledRule> rules, int[] numbers)
    {
        Numbers = numbers;
        int count = numbers.Length;
        const int LineWords = CacheLineArray<ulong>.LineBytes / sizeof(ulong);
        int lines = Math.Max(1, (count + (64 * LineWords) - 1) / (64 * LineWords));
        _words = LineWords * (lines == 1 ? 1 : (lines + 1) & ~1);
        (_source, _sourceRows) = MapPrefixes(rules, isSource: true);
        (_destination, _destinationRows) = MapPrefixes(rules, isSource: false);

        var indexOf = new Dictionary<RuleService, int>();
        var different = new List<RuleService>();
        _services = new RuleService[count];
        int[] serviceOf = new int[count];
        for (int slot = 0; slot < count; slot++)
        {
            RuleService service = rules[Numbers[slot]].Condition.Service;
            _services[slot] = service;
            ref int index = ref CollectionsMarshal.GetValueRefOrAddDefault(indexOf, service, out bool known);
            if (!known)
            {
                index = different.Count;
                different.Add(service);
            }

            serviceOf[slot] = index;
        }

        _service = ServiceMap.Build(CollectionsMarshal.AsSpan(different), 8L * _words);
        _serviceRows = RowsOfServices(serviceOf, different.Count);
    }

    /// <summary>Builds the structure for rules in order.</summary>
    /// <param name="rules">All rules; those that no packet of the family can match are left out.</param>
    /// <param name="family">The family.</param>
    /// <returns>Null when no rule is left.</returns>
    public static RuleClassifier? Build(IReadOnlyList<CompiledRule> rules, IpFamily family)
    {
        int[] numbers = new int[rules.Count];
        int count = 0;
        for (int number = 0; number < rules.Count; number++)
        {
            numbers[count] = number;
            count += rules[number].Condition.CanMatch(family) ? 1 : 0;
        }

        return count == 0 ? null : new RuleClassifier(rules, numbers[..count]);
    }

    private (PrefixMap Map, CacheLineArray<ulong> Rows) MapPrefixes(IReadOnlyList<CompiledRule> rules, bool isSource)
    {
        var keys = new PrefixKey[Numbers.Length];
        int[] slots = new int[Numbers.Length];
        int count = 0;
        var anySlots = new List<int>();
        for (int slot = 0; slot < Numbers.Length; slot++)
        {
            IpPrefix? prefix = isSource ? rules[Numbers[slot]].Condition.From : rules[Numbers[slot]].Condition.To;
            if (prefix is null || prefix.Value.Length == 0)
            {
                anySlots.Add(slot);
                continue;
            }

            keys[count] = PrefixKey.Of(prefix.Value);
            slots[count++] = slot;
        }

        Array.Sort(keys, slots, 0, count);
        var different = new List<PrefixKey>();
        int[] classOf = new int[count];
        for (int i = 0; i < count; i++)
        {
            if (i == 0 || keys[i] != keys[i - 1])
            {
                different.Add(keys[i]);
            }

            classOf[i] = different.Count;
        }

        var map = new PrefixMap(CollectionsMarshal.AsSpan(different));
        var rows = new CacheLineArray<ulong>(map.Count * _words);
        foreach (int slot in anySlots)
        {
            rows.Elements[rows.Start + (slot / 64)] |= 1UL << slot;
        }

        for (int @class = 1, i = 0; @class < map.Count; @class++)
        {
            Span<ulong> row = rows.Elements.AsSpan(rows.Start + (@class * _words), _words);
            Row(in rows, map.Parents[@class]).CopyTo(row);
            for (; i < count && classOf[i] == @class; i++)
            {
                row[slots[i] / 64] |= 1UL << slots[i];
            }
        }

        return (map, rows);
    }

    private CacheLineArray<ulong> RowsOfServices(int[] serviceOf, int count)
    {
        ulong[] byService = new ulong[count * _words];
        for (int slot = 0; slot < serviceOf.Length; slot++)
        {
            byService[(serviceOf[slot] * _words) + (slot / 64)] |= 1UL << slot;
        }

        BitRows met = _service.Met;
        var rows = new CacheLineArray<ulong>(met.Count * _words);
        for (int @class = 0; @class < met.Count; @class++)
        {
            Span<ulong> row = rows.Elements.AsSpan(rows.Start + (@class * _words), _words);
            ReadOnlySpan<ulong> services = met[@class];
            for (int word = 0; word < services.Length; word++)
            {
                for (ulong bits = services[word]; bits != 0; bits &= bits - 1)
                {
                    int service = (64 * word) + BitOperations.TrailingZeroCount(bits);
                    Include(row, byService.AsSpan(service * _words, _words));
                }
            }
        }

        return rows;
    }

    private static void Include(Span<ulong> row, ReadOnlySpan<ulong> other)
    {
        for (int word = 0; word <= other.Length - Vector<ulong>.Count; word += Vector<ulong>.Count)
        {
            (new Vector<ulong>(row[word..]) | new Vector<ulong>(other[word..])).CopyTo(row[word..]);
        }
    }
}
