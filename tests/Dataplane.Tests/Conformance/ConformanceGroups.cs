using Dataplane.Tests.Conformance.Cases;

namespace Dataplane.Tests.Conformance;

/// <summary>All groups of cases.</summary>
internal static class ConformanceGroups
{
    public static IReadOnlyList<ConformanceGroup> All { get; } =
    [
        ForwardingCases.Group, AddressCases.Group, MalformedCases.Group, RefusalCases.Group, EchoCases.Group,
        TcpTrackingCases.Group, TrackingCases.Group, RelatedCases.Group, TrackingTimeCases.Group,
        SourceNatCases.Group, MappingCases.Group, .. FilteringCases.Groups, StaticNatCases.Group, NatErrorCases.Group, NatTimeCases.Group,
        FragmentCases.Group, FilterCases.Group, ServiceCases.Group, DirectCases.Group, .. TunnelCases.Groups, DecapsulationCases.Group, ServiceChangeCases.Group,
    ];

    private static readonly Dictionary<string, (ConformanceGroup Group, ConformanceCase Case)> s_byName =
        All.SelectMany(group => group.Cases.Select(entry => (group, entry))).ToDictionary(pair => pair.entry.Name);

    /// <summary>A case by its name, and its group.</summary>
    public static (ConformanceGroup Group, ConformanceCase Case) Find(string name) => s_byName[name];

    public static ConformanceGroup Of(string name) => All.Single(group => group.Name == name);
}
