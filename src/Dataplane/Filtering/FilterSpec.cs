using Dataplane.Nat;

namespace Dataplane.Filtering;

/// <summary>Ordered rules; the first that matches decides, the default decides where none does.</summary>
public sealed record FilterSpec
{
    /// <summary>What happens to packets that no rule matches.</summary>
    public FilterAction Default { get; init; } = FilterAction.Allow;

    /// <summary>
    /// Whether rules that ask for states take a TCP segment in the middle of a connection that is not known for new, as behind a restart; false: it is
    /// invalid.
    /// </summary>
    public bool PickUp { get; init; }

    /// <summary>How long connections that are followed for rules, and not translated, may be idle.</summary>
    public NatTimeouts Timeouts { get; init; } = new();

    /// <summary>The rules in order.</summary>
    public IReadOnlyList<FilterRuleSpec> Rules { get; init; } = [];
}
