using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Tests.Filtering;

/// <summary>The oracle: the conditions of a rule as the specification words them, one after the other.</summary>
internal static class PlainFilter
{
    public static bool Matches(FilterRuleSpec rule, in FlowKey key, in PacketHeaders headers, byte port, Func<string, int> portIndexByName)
    {
        bool hasTransport = headers.Fragment != FragmentKind.Later && headers.TransportOffset != 0;
        bool hasPorts = hasTransport && key.Protocol is 6 or 17, hasFlags = hasTransport && key.Protocol == 6;
        return (rule.From is null || rule.From.Value.Contains(key.Source))
            && (rule.To is null || rule.To.Value.Contains(key.Destination))
            && (rule.Protocol is null || rule.Protocol == key.Protocol)
            && (rule.FromPort is null || (hasPorts && rule.FromPort.Value.Contains(key.SourcePort)))
            && (rule.ToPort is null || (hasPorts && rule.ToPort.Value.Contains(key.DestinationPort)))
            && (rule.TcpFlags is null || (hasFlags && (headers.TcpFlags & rule.TcpFlags.Value.Mask) == rule.TcpFlags.Value.Value))
            && (rule.Port.Length == 0 || portIndexByName(rule.Port) == port);
    }

    public static IEnumerable<int> AllMatches(FilterSpec spec, FlowKey key, PacketHeaders headers, byte port, Func<string, int> portIndexByName)
    {
        for (int rule = 0; rule < spec.Rules.Count; rule++)
        {
            if (Matches(spec.Rules[rule], in key, in headers, port, portIndexByName))
            {
                yield return rule;
            }
        }
    }
}
