using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Filtering;

internal sealed partial class RuleClassifier
{
    // ParsedFrame: headers and hash in 24 bytes, then the source address, the destination address, and ports, protocol and family.
    private static readonly RecordLayout s_layout = new(recordBytes: 64, sourceOffset: 24, destinationOffset: 40, transportOffset: 56,
        headerOffset: 4, fragmentOffset: 14,
        laterFragment: (byte)FragmentKind.Later);

    private RuleClassifier(IReadOnlyList<CompiledRule> rules, RuleLayout layout, IpFamily family)
    {
        Numbers = layout.Numbers;
        int count = Numbers.Length;
        Prefixes source = PrefixesOf(rules, family, isSource: true), destination = PrefixesOf(rules, family, isSource: false);
        (_source, _destination) = (source.Map, destination.Map);
        var indexOf = new Dictionary<RuleService, int>();
        var different = new List<RuleService>();
        _services = new RuleService[count];
        int[] serviceOf = new int[count];
        for (int slot = 0; slot < count; slot++)
        {
            serviceOf[slot] = -1;
            if (Numbers[slot] < 0)
            {
                continue;
            }

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

        _service = ServiceMap.Build(CollectionsMarshal.AsSpan(different), (count + 511) / 512 * 64);
        var classes = new ClassTables(_source.Table, _destination.Table, _service.Table, s_layout);
        _rows = new BitRowTable(count, _source.Count, _destination.Count, _service.Met.Count);
        source.FillRows(_rows.First);
        destination.FillRows(_rows.Second);
        FillServiceRows(serviceOf, different.Count);
        _rows.Seal(source.Homes(layout.SourceLines), destination.Homes(layout.DestinationLines), layout.FirstCommon);
        _tables = new RuleTables(classes, _rows);
    }

    /// <summary>Rules in one classifier at most. Rows grow with the rules, and so does their number: many rules are cheaper in parts.</summary>
    public const int MaxRules = 1 << 14;

    /// <summary>Builds classifiers for rules in order, each for some of them that follow one another.</summary>
    /// <param name="rules">All rules; those that no packet of the family can match are left out.</param>
    /// <param name="family">The family.</param>
    public static RuleClassifier[] Build(IReadOnlyList<CompiledRule> rules, IpFamily family)
    {
        int[] numbers = new int[rules.Count];
        int count = 0;
        for (int number = 0; number < rules.Count; number++)
        {
            numbers[count] = number;
            count += rules[number].Condition.CanMatch(family) ? 1 : 0;
        }

        var parts = new RuleClassifier[(count + MaxRules - 1) / MaxRules];
        for (int part = 0; part < parts.Length; part++)
        {
            int[] some = numbers[(int)((long)count * part / parts.Length)..(int)((long)count * (part + 1) / parts.Length)];
            parts[part] = new RuleClassifier(rules, RuleLayout.Of(rules, some), family);
        }

        return parts;
    }

    private Prefixes PrefixesOf(IReadOnlyList<CompiledRule> rules, IpFamily family, bool isSource)
    {
        var keys = new PrefixKey[Numbers.Length];
        int[] slots = new int[Numbers.Length];
        int count = 0;
        var anySlots = new List<int>();
        for (int slot = 0; slot < Numbers.Length; slot++)
        {
            if (Numbers[slot] < 0)
            {
                continue;
            }

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

        return new Prefixes(new PrefixMap(CollectionsMarshal.AsSpan(different), family == IpFamily.V4), different, anySlots, slots, classOf);
    }

    private void FillServiceRows(int[] serviceOf, int count)
    {
        int words = _rows.Words;
        ulong[] byService = new ulong[count * words];
        for (int slot = 0; slot < serviceOf.Length; slot++)
        {
            if (serviceOf[slot] >= 0)
            {
                byService[(serviceOf[slot] * words) + (slot / 64)] |= 1UL << slot;
            }
        }

        for (int @class = 0; @class < _service.Met.Count; @class++)
        {
            Span<ulong> row = _rows.Third(@class);
            ReadOnlySpan<ulong> services = _service.Met[@class];
            for (int word = 0; word < services.Length; word++)
            {
                for (ulong bits = services[word]; bits != 0; bits &= bits - 1)
                {
                    int service = (64 * word) + BitOperations.TrailingZeroCount(bits);
                    Include(row, byService.AsSpan(service * words, words));
                }
            }
        }
    }

    private static void Include(Span<ulong> row, ReadOnlySpan<ulong> other)
    {
        for (int word = 0; word <= other.Length - Vector<ulong>.Count; word += Vector<ulong>.Count)
        {
            (new Vector<ulong>(row[word..]) | new Vector<ulong>(other[word..])).CopyTo(row[word..]);
        }
    }

    /// <summary>The prefixes of one address of all rules.</summary>
    /// <param name="Map">From address to class.</param>
    /// <param name="Keys">The prefixes; class n + 1 is that of prefix n.</param>
    /// <param name="AnySlots">Rules without a prefix.</param>
    /// <param name="Slots">Rules with one, in order of it.</param>
    /// <param name="ClassOf">Of each of those, the class.</param>
    private readonly record struct Prefixes(PrefixMap Map, List<PrefixKey> Keys, List<int> AnySlots, int[] Slots, int[] ClassOf)
    {
        public delegate Span<ulong> Rows(int @class);

        /// <summary>By class, the line of the rules at home in its prefix or the nearest around it.</summary>
        public int[] Homes(Dictionary<PrefixKey, int> lines)
        {
            int[] homes = new int[Map.Count];
            for (int @class = 1; @class < homes.Length; @class++)
            {
                homes[@class] = lines.TryGetValue(Keys[@class - 1], out int line) ? line : homes[Map.Parents[@class]];
            }

            return homes;
        }

        /// <summary>Writes the rows of the classes: each has the bits of its own prefix and those of all around it.</summary>
        public void FillRows(Rows rowOf)
        {
            Span<ulong> any = rowOf(0);
            foreach (int slot in AnySlots)
            {
                any[slot / 64] |= 1UL << slot;
            }

            for (int @class = 1, i = 0; @class < Map.Count; @class++)
            {
                Span<ulong> row = rowOf(@class);
                rowOf(Map.Parents[@class]).CopyTo(row);
                for (; i < ClassOf.Length && ClassOf[i] == @class; i++)
                {
                    row[Slots[i] / 64] |= 1UL << Slots[i];
                }
            }
        }
    }
}
