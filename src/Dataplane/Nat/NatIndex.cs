using Dataplane.Packets;
using Dataplane.Switching;

namespace Dataplane.Nat;

/// <summary>Finds the first rule of source translation for a packet without asking one after the other. Immutable.</summary>
/// <remarks>A table for each length that source prefixes have, by prefix and inside: so a look-up costs one or two probes a length, of which there are few, and not more with
/// more rules (static translations are a rule for each host). A handful of rules is compared one after the other, which is cheaper.</remarks>
internal sealed class NatIndex
{
    private const int Few = 8;

    private readonly NatRule[] _rules;
    private readonly BridgeTable _bridges;
    private readonly List<Group> _groups = [];

    public NatIndex(NatRule[] rules, BridgeTable bridges)
    {
        (_rules, _bridges) = (rules, bridges);
        for (int number = 0; number < rules.Length && rules.Length > Few; number++)
        {
            IpPrefix[] prefixes = rules[number].Spec.From is { } from ? [from] : [new IpPrefix(IpAddress.FromV4(0), 0), new IpPrefix(IpAddress.FromV6(0, 0), 0)];
            foreach (IpPrefix prefix in prefixes)
            {
                Add(number, prefix);
            }
        }
    }

    /// <summary>The first rule that covers a source, or null.</summary>
    /// <param name="port">Port the packet came by.</param>
    /// <param name="source">Where it comes from.</param>
    /// <param name="way">Index of the interface it leaves by; below 0: any.</param>
    public NatRule? Find(ushort port, IpAddress source, short way)
    {
        int network = _bridges.OfPort(port)?.Network.Index ?? -1;
        if (_rules.Length <= Few)
        {
            foreach (NatRule rule in _rules)
            {
                if ((way < 0 || rule.Outside == way) && (rule.Inside == port || (network >= 0 && rule.InsideNetwork == network)) && rule.Covers(source))
                {
                    return rule;
                }
            }

            return null;
        }

        int best = int.MaxValue;
        foreach (Group group in _groups)
        {
            if (group.Family == source.Family)
            {
                IpAddress prefix = new IpPrefix(source, group.Length).Network.Address;
                best = First(group, port, prefix, source, way, best);
                best = network < 0 ? best : First(group, OfNetwork(network), prefix, source, way, best);
            }
        }

        return best == int.MaxValue ? null : _rules[best];
    }

    private int First(Group group, int inside, IpAddress prefix, IpAddress source, short way, int best)
    {
        if (group.Rules.TryGetValue((inside, prefix), out int[]? numbers))
        {
            foreach (int number in numbers)
            {
                if (number < best && (way < 0 || _rules[number].Outside == way) && _rules[number].Covers(source))
                {
                    return number;
                }
            }
        }

        return best;
    }

    private void Add(int number, IpPrefix prefix)
    {
        NatRule rule = _rules[number];
        (int, IpAddress) key = (rule.InsideNetwork >= 0 ? OfNetwork(rule.InsideNetwork) : rule.Inside, prefix.Network.Address);
        Group? group = _groups.Find(other => other.Family == prefix.Address.Family && other.Length == prefix.Length);
        if (group is null)
        {
            group = new Group(prefix.Address.Family, prefix.Length, []);
            _groups.Add(group);
        }

        group.Rules[key] = [.. group.Rules.GetValueOrDefault(key, []), number];
    }

    // Numbers of ports are not below 0.
    private static int OfNetwork(int network) => -1 - network;

    private sealed record Group(IpFamily Family, int Length, Dictionary<(int Inside, IpAddress Prefix), int[]> Rules);
}
