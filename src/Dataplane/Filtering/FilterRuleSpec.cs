using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Filtering;

/// <summary>One filter rule; a packet matches when it meets every condition that is set.</summary>
/// <remarks>Later fragments carry no ports: a rule with a port or flag condition does not match them.</remarks>
public sealed record FilterRuleSpec
{
    /// <summary>Name for counters and explain; unique. Empty: <c>rule-N</c>, counted from 1.</summary>
    public string Name { get; init; } = "";

    /// <summary>What the rule does.</summary>
    public FilterAction Action { get; init; }

    /// <summary>Source prefix; null: any, of both families.</summary>
    public IpPrefix? From { get; init; }

    /// <summary>Destination prefix; null: any, of both families.</summary>
    public IpPrefix? To { get; init; }

    /// <summary>IP protocol number; null: any. Files take tcp, udp, icmp, icmpv6 or a number.</summary>
    public byte? Protocol { get; init; }

    /// <summary>Source port range; null: any. Needs protocol TCP or UDP.</summary>
    public PortRange? FromPort { get; init; }

    /// <summary>Destination port range; null: any. Needs protocol TCP or UDP.</summary>
    public PortRange? ToPort { get; init; }

    /// <summary>TCP flags; null: any. Needs protocol TCP.</summary>
    public TcpFlagMatch? TcpFlags { get; init; }

    /// <summary>
    /// States of which the packet has one; none: any. With such a rule all forwarded TCP, UDP and ICMP echo is followed, and each flow takes a place in
    /// the flow table.
    /// </summary>
    public ConnectionStates State { get; init; }

    /// <summary>Name of the port the packet came by; empty: any.</summary>
    public string Port { get; init; } = "";
}
