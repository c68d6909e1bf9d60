using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>What one step of a plan does.</summary>
internal enum PlanStepKind
{
    /// <summary>Publishes other ports of a replica that goes on; its container is not touched.</summary>
    SetPorts,

    /// <summary>Takes a replica away: surplus, or an orphan.</summary>
    Remove,

    /// <summary>Takes a replica away that is made anew later: something of it must be free before.</summary>
    Stop,

    /// <summary>Removes a network.</summary>
    RemoveNetwork,

    /// <summary>Makes a network.</summary>
    CreateNetwork,

    /// <summary>Makes namespace and endpoints of a replica that is not there.</summary>
    Create,

    /// <summary>Runs the command of a replica that has all it needs.</summary>
    Start,

    /// <summary>Takes a replica away, makes it anew and runs its command, before the next one's turn.</summary>
    Recreate,

    /// <summary>Leaves a replica alone.</summary>
    Keep,
}

/// <summary>One step of a plan.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Name">The replica or network it does it to.</param>
internal sealed record PlanStep(PlanStepKind Kind, string Name)
{
    /// <summary>Keys of the file that are the reason; empty: it is not there yet.</summary>
    public IReadOnlyList<string> Reasons { get; init; } = [];

    /// <summary>With <see cref="PlanStepKind.SetPorts"/>: all that is published from then on.</summary>
    public IReadOnlyList<PublishedPort> Ports { get; init; } = [];
}

/// <summary>How a project becomes what its file says.</summary>
/// <param name="Steps">In the order in which they are taken.</param>
internal sealed record ProjectPlan(IReadOnlyList<PlanStep> Steps)
{
    /// <summary>Replicas of services that the file does not have any more, which stay.</summary>
    public IReadOnlyList<string> Orphans { get; init; } = [];

    /// <summary>Networks that the project does not need any more, and that others are attached to: they stay.</summary>
    public IReadOnlyList<string> Left { get; init; } = [];

    /// <summary>Why it cannot become that; then no step is taken.</summary>
    public IReadOnlyList<string> Obstacles { get; init; } = [];
}
