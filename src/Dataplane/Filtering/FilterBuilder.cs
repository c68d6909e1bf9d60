using Dataplane.Configuration;

namespace Dataplane.Filtering;

/// <summary>Adds filter rules in order.</summary>
public sealed class FilterBuilder
{
    private readonly List<FilterRuleSpec> _rules;
    private readonly List<ConfigurationError> _errors;
    private FilterAction _default;

    internal FilterBuilder(FilterSpec spec, List<ConfigurationError> errors)
    {
        _rules = [.. spec.Rules];
        _default = spec.Default;
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
    public FilterBuilder Deny(string? from = null, string? to = null, byte? protocol = null, string? fromPort = null, string? toPort = null,
        string? port = null, string? name = null) => Add(FilterAction.Deny, from, to, protocol, fromPort, toPort, port, name);

    /// <summary>Adds a rule that allows; conditions left out match everything.</summary>
    /// <param name="from">Source prefix or address.</param>
    /// <param name="to">Destination prefix or address.</param>
    /// <param name="protocol">IP protocol number: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6.</param>
    /// <param name="fromPort">Source port or range, such as <c>1024-65535</c>.</param>
    /// <param name="toPort">Destination port or range, such as <c>22-23</c>.</param>
    /// <param name="port">Name of the port the packet came by.</param>
    /// <param name="name">Name for counters and explain.</param>
    public FilterBuilder Allow(string? from = null, string? to = null, byte? protocol = null, string? fromPort = null, string? toPort = null,
        string? port = null, string? name = null) => Add(FilterAction.Allow, from, to, protocol, fromPort, toPort, port, name);

    /// <summary>Adds a rule as it is.</summary>
    public FilterBuilder Rule(FilterRuleSpec rule)
    {
        _rules.Add(rule);
        return this;
    }

    /// <summary>Lets pass what no rule matches.</summary>
    public FilterBuilder DefaultAllow()
    {
        _default = FilterAction.Allow;
        return this;
    }

    /// <summary>Denies what no rule matches.</summary>
    public FilterBuilder DefaultDeny()
    {
        _default = FilterAction.Deny;
        return this;
    }

    internal FilterSpec Build() => new() { Default = _default, Rules = [.. _rules] };

    private FilterBuilder Add(FilterAction action, string? from, string? to, byte? protocol, string? fromPort, string? toPort, string? port, string? name)
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
            Port = port ?? "",
        });
        return this;
    }
}
