using Dataplane.Packets;
using Dataplane.Tracking;

namespace Dataplane.Filtering;

/// <summary>What a rule asks for, as numbers: what the structures for lookup are built from.</summary>
/// <remarks>A packet meets it when both prefixes hold its addresses, <c>(word &amp; Mask) == Value</c> for its <see cref="TransportWord"/>, and both ranges
/// hold its ports.</remarks>
internal readonly struct RuleCondition
{
    /// <summary>Takes a rule apart.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="portIndex">Index of the port it asks for, or -1.</param>
    public RuleCondition(FilterRuleSpec rule, int portIndex)
    {
        From = rule.From;
        To = rule.To;
        uint mask = 0, value = 0;
        if (rule.Protocol is byte protocol)
        {
            mask |= (uint)byte.MaxValue << TransportWord.ProtocolShift;
            value |= (uint)protocol << TransportWord.ProtocolShift;
        }

        if (portIndex >= 0)
        {
            mask |= (uint)byte.MaxValue << TransportWord.PortShift;
            value |= (uint)portIndex << TransportWord.PortShift;
        }

        if (rule.TcpFlags is TcpFlagMatch flags)
        {
            mask |= ((uint)flags.Mask << TransportWord.FlagsShift) | TransportWord.HasFlags;
            value |= ((uint)flags.Value << TransportWord.FlagsShift) | TransportWord.HasFlags;
        }

        if (rule.FromPort is not null || rule.ToPort is not null)
        {
            mask |= TransportWord.HasPorts;
            value |= TransportWord.HasPorts;
        }

        if (rule.State != ConnectionStates.None)
        {
            uint others = TransportWord.Excluded(rule.State);
            mask |= others;
            value |= others;
        }

        Service = new RuleService(mask, value, rule.FromPort ?? PortRange.All, rule.ToPort ?? PortRange.All);
    }

    /// <summary>Source prefix; null: any.</summary>
    public IpPrefix? From { get; }

    /// <summary>Destination prefix; null: any.</summary>
    public IpPrefix? To { get; }

    /// <summary>Everything but the addresses.</summary>
    public RuleService Service { get; }

    /// <summary>Whether a packet of the family can meet it.</summary>
    public bool CanMatch(IpFamily family) => (From is null || From.Value.Family == family) && (To is null || To.Value.Family == family);
}
