using Dataplane.Packets;

namespace Dataplane.Filtering;

/// <summary>Writes one rule into its lane of a block. Used by the control side.</summary>
/// <param name="lane">The block from the rule's lane on: every eighth element is the rule's.</param>
/// <param name="addressWords">32-bit words in an address of the family.</param>
internal readonly ref struct RuleLane(Span<uint> lane, int addressWords)
{
    private readonly Span<uint> _lane = lane;

    /// <summary>Writes a rule.</summary>
    /// <param name="rule">What it asks for.</param>
    public void Fill(RuleCondition rule)
    {
        FillField(RuleLanes.TransportField, rule.Service.Mask, rule.Service.Value);
        FillRange(RuleLanes.SourcePortField, rule.Service.SourcePorts);
        FillRange(RuleLanes.DestinationPortField, rule.Service.DestinationPorts);
        FillPrefix(RuleLanes.AddressField, rule.From);
        FillPrefix(RuleLanes.AddressField + addressWords, rule.To);
    }

    /// <summary>Makes an empty lane: no bit is looked at, yet one has to be set, so that it matches nothing.</summary>
    public void FillWithNothing() => FillField(RuleLanes.TransportField, 0, 1);

    private void FillPrefix(int field, IpPrefix? prefix)
    {
        if (prefix is not IpPrefix given)
        {
            return;
        }

        for (int word = 0; word < addressWords; word++)
        {
            int shift = 32 * (addressWords - 1 - word);
            FillField(field + word, ~(uint)((given.First.Bits ^ given.Last.Bits) >> shift), (uint)(given.First.Bits >> shift));
        }
    }

    private void FillRange(int field, PortRange range) => FillField(field, range.First, (uint)(range.Last - range.First));

    private void FillField(int field, uint first, uint second)
    {
        _lane[field * RuleLanes.FieldLength] = first;
        _lane[(field * RuleLanes.FieldLength) + RuleLanes.Count] = second;
    }
}
