using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>Compiled filter rules: first match in order. Immutable but for the counters.</summary>
internal sealed class FilterProgram
{
    private readonly FilterRuleSpec[] _rules;
    private readonly int[] _ports;

    private FilterProgram(FilterSpec spec, Func<string, int> portIndexByName, FilterProgram? previous)
    {
        _rules = [.. spec.Rules];
        _ports = [.. _rules.Select(rule => rule.Port.Length == 0 ? -1 : portIndexByName(rule.Port))];
        DefaultAction = spec.Default;
        Counters = [.. _rules.Select((rule, i) => previous?.CounterOf(rule) ?? new RuleCounter(rule.Name.Length > 0 ? rule.Name : $"rule-{i + 1}")),
            previous?.Counters[^1] ?? new RuleCounter("default")];
    }

    public FilterAction DefaultAction { get; }

    public RuleCounter[] Counters { get; }

    public bool IsEmpty => _rules.Length == 0 && DefaultAction == FilterAction.Allow;

    public static FilterProgram Compile(FilterSpec spec, Func<string, int> portIndexByName, FilterProgram? previous) => new(spec, portIndexByName, previous);

    public int Match(in FlowKey key, in PacketHeaders headers, byte port) => MatchAfter(-1, in key, in headers, port);

    public int MatchAfter(int rule, in FlowKey key, in PacketHeaders headers, byte port)
    {
        for (int i = rule + 1; i < _rules.Length; i++)
        {
            if (Matches(_rules[i], _ports[i], in key, in headers, port))
            {
                return i;
            }
        }

        return -1;
    }

    public FilterAction ActionOf(int rule) => _rules[rule].Action;

    public string NameOf(int rule) => Counters[rule].Name;

    public void Count(int rule, int bytes)
    {
        RuleCounter counter = rule < 0 ? Counters[^1] : Counters[rule];
        counter.Add(1, bytes);
    }

    private RuleCounter? CounterOf(FilterRuleSpec rule)
    {
        int index = Array.FindIndex(_rules, candidate => candidate == rule);
        return index < 0 ? null : Counters[index];
    }

    private static bool Matches(FilterRuleSpec rule, int rulePort, in FlowKey key, in PacketHeaders headers, byte port)
    {
        bool needsTransport = rule.FromPort is not null || rule.ToPort is not null || rule.TcpFlags is not null;
        return (rulePort < 0 || rulePort == port) && (rule.From is not IpPrefix from || from.Contains(key.Source))
            && (rule.To is not IpPrefix to || to.Contains(key.Destination)) && (rule.Protocol is not byte protocol || protocol == headers.Protocol)
            && (!needsTransport || headers.Fragment != FragmentKind.Later)
            && (rule.FromPort is not PortRange fromPort || fromPort.Contains(key.SourcePort))
            && (rule.ToPort is not PortRange toPort || toPort.Contains(key.DestinationPort))
            && (rule.TcpFlags is not TcpFlagMatch flags || (headers.TcpFlags & flags.Mask) == flags.Value);
    }
}
