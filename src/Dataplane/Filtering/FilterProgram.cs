using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Filtering;

/// <summary>Filter rules compiled for workers: ordered, the first that matches decides.</summary>
/// <remarks>Immutable but for its counters, which have one writer. Rules are known by their index in the specification.</remarks>
internal sealed class FilterProgram
{
    /// <summary>In place of a rule: none matched, the default decides.</summary>
    public const int NoRule = -1;

    private readonly FilterRuleSpec[] _specs;
    private readonly RuleList _v4;
    private readonly RuleList _v6;

    // Of each rule in order, and of the default behind them.
    private readonly FilterAction[] _actions;
    private readonly RuleCounter[] _counters;

    private FilterProgram(FilterSpec spec, List<(FilterRuleSpec Spec, int PortIndex)> rules, RuleCounter[] counters)
    {
        _specs = [.. rules.Select(rule => rule.Spec)];
        _v4 = new RuleList(rules, IpFamily.V4);
        _v6 = new RuleList(rules, IpFamily.V6);
        _actions = [.. rules.Select(rule => rule.Spec.Action), spec.Default];
        _counters = counters;
    }

    /// <summary>Whether it lets everything pass without looking, so that the stage can be left out.</summary>
    public bool IsEmpty => RuleCount == 0 && DefaultAction == FilterAction.Allow;

    /// <summary>The number of rules.</summary>
    public int RuleCount => _specs.Length;

    /// <summary>What happens to packets that no rule matches.</summary>
    public FilterAction DefaultAction => _actions[^1];

    /// <summary>The counters of the rules in order, then that of the default.</summary>
    public IReadOnlyList<RuleCounter> Counters => _counters;

    /// <summary>Compiles a valid specification.</summary>
    /// <param name="spec">The rules.</param>
    /// <param name="portIndexByName">Index of a port, 0 to 254; below 0 when there is none of that name.</param>
    /// <param name="previous">The program this one follows: rules that are in both, with the same name, go on with their counters, and so does an unchanged default.</param>
    /// <exception cref="ArgumentException">A rule names a port that does not exist.</exception>
    public static FilterProgram Compile(FilterSpec spec, Func<string, int> portIndexByName, FilterProgram? previous = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(portIndexByName);
        var rules = new List<(FilterRuleSpec Spec, int PortIndex)>();
        foreach (FilterRuleSpec rule in spec.Rules)
        {
            int portIndex = rule.Port.Length == 0 ? -1 : portIndexByName(rule.Port);
            if (rule.Port.Length != 0 && portIndex is < 0 or >= PortId.MaxPorts)
            {
                throw new ArgumentException($"Filter {NameOf(rule, rules.Count)} asks for port '{rule.Port}', which is not among the ports configured.", nameof(spec));
            }

            rules.Add((rule, portIndex));
        }

        return new FilterProgram(spec, rules, MakeCounters(spec, previous));
    }

    /// <summary>The first rule that a packet matches, or <see cref="NoRule"/>.</summary>
    /// <param name="key">Its flow key; packets that are not IP match no rule.</param>
    /// <param name="headers">Where its headers are.</param>
    /// <param name="port">Index of the port it came by.</param>
    public int Match(in FlowKey key, in PacketHeaders headers, byte port) => MatchAfter(NoRule, in key, in headers, port);

    /// <summary>The first rule behind another that a packet would match if those up to it did not, or <see cref="NoRule"/>.</summary>
    public int MatchAfter(int rule, in FlowKey key, in PacketHeaders headers, byte port)
    {
        uint transport = TransportWord.Of(in key, in headers, port);
        return key.Family switch
        {
            (byte)IpFamily.V4 => _v4.FindV4(in key, transport, rule),
            (byte)IpFamily.V6 => _v6.FindV6(in key, transport, rule),
            _ => NoRule,
        };
    }

    /// <summary>What a rule does; the default for <see cref="NoRule"/>.</summary>
    public FilterAction ActionOf(int rule) => _actions[IndexOf(rule)];

    /// <summary>The name of a rule; <c>default</c> for <see cref="NoRule"/>.</summary>
    public string NameOf(int rule) => CounterOf(rule).Name;

    /// <summary>The counter of a rule; the default's for <see cref="NoRule"/>.</summary>
    public RuleCounter CounterOf(int rule) => _counters[IndexOf(rule)];

    /// <summary>Counts a packet that a rule, or the default, has decided on. By the one writer only.</summary>
    /// <param name="rule">The rule, or <see cref="NoRule"/>.</param>
    /// <param name="bytes">Length of its frame.</param>
    public void Count(int rule, int bytes) => CounterOf(rule).Add(1, bytes);

    private int IndexOf(int rule) => rule < 0 ? _specs.Length : rule;

    private static string NameOf(FilterRuleSpec rule, int index) => rule.Name.Length != 0 ? rule.Name : $"rule-{index + 1}";

    private static RuleCounter[] MakeCounters(FilterSpec spec, FilterProgram? previous)
    {
        var kept = new Dictionary<string, (FilterRuleSpec Spec, RuleCounter Counter)>();
        for (int rule = 0; rule < (previous?.RuleCount ?? 0); rule++)
        {
            kept.TryAdd(previous!.NameOf(rule), (previous._specs[rule], previous.CounterOf(rule)));
        }

        var counters = new RuleCounter[spec.Rules.Count + 1];
        counters[^1] = previous?.DefaultAction == spec.Default ? previous.CounterOf(NoRule) : new RuleCounter("default");
        for (int rule = 0; rule < spec.Rules.Count; rule++)
        {
            string name = NameOf(spec.Rules[rule], rule);
            bool same = kept.Remove(name, out (FilterRuleSpec Spec, RuleCounter Counter) old) && old.Spec == spec.Rules[rule];
            counters[rule] = same ? old.Counter : new RuleCounter(name);
        }

        return counters;
    }
}
