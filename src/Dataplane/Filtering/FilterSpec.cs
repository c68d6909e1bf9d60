namespace Dataplane.Filtering;

/// <summary>Ordered rules; the first that matches decides, the default decides where none does.</summary>
public sealed record FilterSpec
{
    /// <summary>What happens to packets that no rule matches.</summary>
    public FilterAction Default { get; init; } = FilterAction.Allow;

    /// <summary>The rules in order.</summary>
    public IReadOnlyList<FilterRuleSpec> Rules { get; init; } = [];
}
