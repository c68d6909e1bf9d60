using Dataplane.Balancing;

namespace Dataplane.Telemetry;

/// <summary>What an update has done, or what it would do.</summary>
/// <param name="Version">Version of the tables now in force; of those there would be, for a preview.</param>
/// <param name="Services">Consistent-hash tables that were changed, with slots moved against the minimum possible.</param>
/// <param name="PortsOpened">Names of ports opened.</param>
/// <param name="PortsClosed">Names of ports closed.</param>
public sealed record ChangeReceipt(int Version, IReadOnlyList<ServiceChange> Services, IReadOnlyList<string> PortsOpened, IReadOnlyList<string> PortsClosed)
{
    /// <summary>Learnt routes that were forgotten because no interface is left for their next hops.</summary>
    public int LearntRoutesLost { get; init; }

    /// <summary>What it means for the flows known then: counted by each worker between its last batch by the old tables and its first by the new.</summary>
    public FlowChange Flows { get; init; } = new(0, 0, 0, 0);

    /// <summary>Backends that came, went, or changed their state or weight, with their flows.</summary>
    public IReadOnlyList<BackendChange> Backends { get; init; } = [];

    /// <summary>True when nothing was changed: what would happen if it were applied now.</summary>
    public bool IsPreview { get; init; }
}
