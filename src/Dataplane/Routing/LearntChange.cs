using Dataplane.Routing.Lpm;

namespace Dataplane.Routing;

/// <summary>What a change of learnt routes does to the tables.</summary>
internal sealed record LearntChange
{
    /// <summary>The routes with all entries and next hops that the changes need; the table is the same, and not changed yet.</summary>
    public required CompiledRoutes Routes { get; init; }

    /// <summary>What is to be written into the table.</summary>
    public required IReadOnlyList<RouteChange> Changes { get; init; }

    /// <summary>Whether numbers stand for something they did not stand for before.</summary>
    public required bool HasNewEntries { get; init; }

    public required int Added { get; init; }

    public required int Replaced { get; init; }

    public required int Withdrawn { get; init; }

    /// <summary>Routes that wait behind one of the configuration.</summary>
    public int Shadowed { get; init; }
}
