using Dataplane.Configuration;
using Dataplane.Nat;
using Dataplane.Tracking;

namespace Dataplane.Filtering;

/// <summary>Adds filter rules in order.</summary>
public sealed class FilterBuilder
{
    private readonly List<FilterRuleSpec> _rules;
    private readonly List<ConfigurationError> _errors;
    private FilterSpec _spec;

    internal FilterBuilder(FilterSpec spec, List<ConfigurationError> errors)
    {
        _rules = [.. spec.Rules];
        _spec = spec;
        _errors = errors;
    }

    /// <summary>Adds a rule that denies; conditions left out match everything.</summary>
    /// <param name="from">Source prefix or address.</param>
    /// <param name="to">Destination prefix or address.</param>
    /// <param name="protocol">IP protocol number: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6.</param>
    /// <param name="fromPort">Source port or range, such as <c>1024-65535</c>.</param>
    /// <param name="toPort">Destination port or range, such as <c>22-23</c>.</param>
    /// <param name="port">Name of the port the packet came by.</param>
    /// <param name="name">Name for counters and explain.</param>
    /// <param name="state">States of which the packet has one.</param>
    public FilterBuilder Deny(string? from = null, string? to = null, byte? protocol = null, string? fromPort = null, string? toPort = null,
        string? port = null, string? name = null, ConnectionStates state = ConnectionStates.None) =>
        Add(FilterAction.Deny, from, to, protocol, fromPort, toPort, port, name, state);

    /// <summary>Adds a rule that allows; conditions left out match everything.</summary>
    /// <param name="from">Source prefix or address.</param>
    /// <param name="to">Destination prefix or address.</param>
    /// <param name="protocol">IP protocol number: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6.</param>
    /// <param name="fromPort">Source port or range, such as <c>1024-65535</c>.</param>
    /// <param name="toPort">Destination port or range, such as <c>22-23</c>.</param>
    /// <param name="port">Name of the port the packet came by.</param>
    /// <param name="name">Name for counters and explain.</param>
    /// <param name="state">States of which the packet has one.</param>
    public FilterBuilder Allow(string? from = null, string? to = null, byte? protocol = null, string? fromPort = null, string? toPort = null,
        string? port = null, string? name = null, ConnectionStates state = ConnectionStates.None) =>
        Add(FilterAction.Allow, from, to, protocol, fromPort, toPort, port, name, state);

    /// <summary>Adds a rule as it is.</summary>
    public FilterBuilder Rule(FilterRuleSpec rule)
    {
        _rules.Add(rule);
        return this;
    }

    /// <summary>Lets pass what no rule matches.</summary>
    public FilterBuilder DefaultAllow()
    {
        _spec = _spec with { Default = FilterAction.Allow };
        return this;
    }

    /// <summary>Denies what no rule matches.</summary>
    public FilterBuilder DefaultDeny()
    {
        _spec = _spec with { Default = FilterAction.Deny };
        return this;
    }

    /// <summary>Takes TCP segments in the middle of connections that are not known for new, where rules ask for states.</summary>
    public FilterBuilder PickUp()
    {
        _spec = _spec with { PickUp = true };
        return this;
    }

    /// <summary>Sets how long connections may be idle that are followed because rules ask for states.</summary>
    public FilterBuilder Timeouts(NatTimeouts timeouts)
    {
        _spec = _spec with { Timeouts = timeouts };
        return this;
    }

    internal FilterSpec Build() => _spec with { Rules = [.. _rules] };

    private FilterBuilder Add(FilterAction action, string? from, string? to, byte? protocol, string? fromPort, string? toPort, string? port, string? name,
        ConnectionStates state)
    {
        string path = $"filter.rules[{_rules.Count}]";
        _rules.Add(new FilterRuleSpec
        {
            Name = name ?? "",
            Action = action,
            From = from is null ? null : TextReading.PrefixOrAddress(from, $"{path}.from", _errors),
            To = to is null ? null : TextReading.PrefixOrAddress(to, $"{path}.to", _errors),
            Protocol = protocol,
            FromPort = fromPort is null ? null : TextReading.Ports(fromPort, $"{path}.from_port", _errors),
            ToPort = toPort is null ? null : TextReading.Ports(toPort, $"{path}.to_port", _errors),
            State = state,
            Port = port ?? "",
        });
        return this;
    }
}
