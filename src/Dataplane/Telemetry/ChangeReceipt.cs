using Dataplane.Balancing;

namespace Dataplane.Telemetry;

/// <summary>What an update has done, as far as it can be known at once.</summary>
/// <param name="Version">Version of the tables now in force.</param>
/// <param name="Services">Consistent-hash tables that were changed, with slots moved against the minimum possible.</param>
/// <param name="PortsOpened">Names of ports opened.</param>
/// <param name="PortsClosed">Names of ports closed.</param>
public sealed record ChangeReceipt(int Version, IReadOnlyList<ServiceChange> Services, IReadOnlyList<string> PortsOpened, IReadOnlyList<string> PortsClosed)
{
    /// <summary>Learnt routes that were forgotten because no interface is left for their next hops.</summary>
    public int LearntRoutesLost { get; init; }
}
