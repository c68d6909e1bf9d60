namespace Dataplane.Filtering;

/// <summary>A rule with the port it asks for resolved.</summary>
/// <param name="spec">The rule.</param>
/// <param name="portIndex">Index of the port it asks for, or -1.</param>
internal sealed class CompiledRule(FilterRuleSpec spec, int portIndex)
{
    /// <summary>The rule.</summary>
    public FilterRuleSpec Spec => spec;

    /// <summary>Index of the port it asks for, or -1.</summary>
    public int PortIndex => portIndex;

    /// <summary>What it asks for, as numbers.</summary>
    public RuleCondition Condition { get; } = new(spec, portIndex);

    /// <summary>Whether this was made from that very rule and port.</summary>
    public bool Is(FilterRuleSpec rule, int index) => ReferenceEquals(spec, rule) && portIndex == index;

    /// <summary>Whether the same packets match both, whatever they are called and do.</summary>
    public bool AsksForTheSameAs(CompiledRule other) =>
        ReferenceEquals(this, other)
        || (Condition.Service == other.Condition.Service && Condition.From?.Network == other.Condition.From?.Network
            && Condition.To?.Network == other.Condition.To?.Network);
}
