namespace Dataplane.Tests.Conformance;

/// <summary>What a case needs that not every bed has.</summary>
[Flags]
internal enum CaseNeeds
{
    None = 0,

    /// <summary>Time passes at the case's word.</summary>
    Time = 1,

    /// <summary>The configuration is changed while it runs.</summary>
    Update = 2,
}

/// <summary>Packets in, packets out: one rule of one document in one address family.</summary>
/// <param name="Group">Name of the group, which has the configuration.</param>
/// <param name="Rule">What is shown, in a few words; unique in its group.</param>
/// <param name="Family">4 or 6.</param>
/// <param name="Source">Document and section the rule is from.</param>
/// <param name="Needs">What the bed must be able to do.</param>
/// <param name="Linux">Why Linux, configured alike, does otherwise; null where it must do the same.</param>
/// <param name="Steps">The packets.</param>
internal sealed record ConformanceCase(string Group, string Rule, int Family, string Source, CaseNeeds Needs, string? Linux, Action<CaseScript> Steps)
{
    /// <summary>Name in test results.</summary>
    public string Name => $"{Group}/{Rule} ipv{Family} ({Source})";
}
