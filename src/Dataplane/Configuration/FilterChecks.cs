using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The rules for filter rules.</summary>
internal static class FilterChecks
{
    public static void Check(Checks checks, DataplaneSpec spec)
    {
        if (spec.Filter is null)
        {
            checks.Error("filter", "is null; an empty filter is allowed");
            return;
        }

        checks.Known("filter.default", spec.Filter.Default, SpecNames.Actions);
        NatChecks.CheckTimeouts(checks, spec.Filter.Timeouts, "filter.timeouts");
        int ports = (spec.Filter.Rules ?? []).Where(rule => !string.IsNullOrEmpty(rule?.Port)).Select(rule => rule.Port).Distinct().Count();
        if (ports > FilterPortNumbers.Most + 1)
        {
            checks.Error("filter.rules", $"names {ports} ports; {FilterPortNumbers.Most + 1} are allowed");
        }

        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((FilterRuleSpec rule, string path, int index) in checks.Each(spec.Filter.Rules, "filter.rules"))
        {
            // A rule without a name is counted as rule-N, which no other rule may take.
            string name = string.IsNullOrEmpty(rule.Name) ? $"rule-{index + 1}" : rule.Name;
            checks.Name($"{path}.name", name, names);
            checks.Known($"{path}.action", rule.Action, SpecNames.Actions);
            CheckPrefix(checks, rule.From, $"{path}.from");
            CheckPrefix(checks, rule.To, $"{path}.to");
            CheckFamilies(checks, rule, path);
            CheckTransport(checks, rule, path);
            if ((rule.State & ~SpecNames.AllStates) != 0)
            {
                checks.Error($"{path}.state", SpecNames.States.Problem, rule.State.ToString());
            }

            if (!string.IsNullOrEmpty(rule.Port))
            {
                checks.IsPort($"{path}.port", rule.Port);
            }
        }
    }

    internal static void CheckPrefix(Checks checks, IpPrefix? prefix, string path)
    {
        if (prefix is not { } given)
        {
            return;
        }

        if (given.Address.IsNone)
        {
            checks.Error(path, "is empty: a prefix or an address is needed, or nothing at all");
        }
        else if (given.HasHostBits)
        {
            checks.Error(path, $"has bits set behind its length; the prefix is {given.Network}", given.ToString());
        }
    }

    private static void CheckFamilies(Checks checks, FilterRuleSpec rule, string path)
    {
        IpFamily from = rule.From?.Family ?? IpFamily.None, to = rule.To?.Family ?? IpFamily.None;
        if (from != IpFamily.None && to != IpFamily.None && from != to)
        {
            checks.Error($"{path}.to", $"is of another family than from ({rule.From}), so that no packet could match", rule.To.ToString());
        }

        IpFamily family = from != IpFamily.None ? from : to;
        if (rule.Protocol == IpProtocols.Icmp && family == IpFamily.V6)
        {
            checks.Error($"{path}.protocol", "is that of IPv4, but the prefixes are IPv6: icmpv6 is needed", SpecNames.ProtocolName(IpProtocols.Icmp));
        }
        else if (rule.Protocol == IpProtocols.Icmpv6 && family == IpFamily.V4)
        {
            checks.Error($"{path}.protocol", "is that of IPv6, but the prefixes are IPv4: icmp is needed", SpecNames.ProtocolName(IpProtocols.Icmpv6));
        }
    }

    private static void CheckTransport(Checks checks, FilterRuleSpec rule, string path)
    {
        CheckPorts(checks, rule.FromPort, rule.Protocol, $"{path}.from_port");
        CheckPorts(checks, rule.ToPort, rule.Protocol, $"{path}.to_port");
        if (rule.TcpFlags is not { } flags)
        {
            return;
        }

        if (rule.Protocol != IpProtocols.Tcp)
        {
            checks.Error($"{path}.tcp_flags", "needs protocol: tcp", flags.ToString());
        }

        if (flags.Mask == 0 || (flags.Value & ~flags.Mask) != 0)
        {
            string what = flags.Mask == 0 ? "looks at no flag" : "asks for flags it does not look at, so that no packet could match";
            checks.Error($"{path}.tcp_flags", $"{what}; a mask with at least one flag, and a value inside the mask are needed",
                $"mask 0x{flags.Mask:x2}, value 0x{flags.Value:x2}");
        }
    }

    internal static void CheckPorts(Checks checks, PortRange? range, byte? protocol, string path)
    {
        if (range is not { } given)
        {
            return;
        }

        if (protocol is not (IpProtocols.Tcp or IpProtocols.Udp))
        {
            checks.Error(path, "needs protocol: tcp or udp, which have ports", given.ToString());
        }

        if (given.First > given.Last)
        {
            checks.Error(path, "is a range whose first port is above its last", given.ToString());
        }
    }
}
