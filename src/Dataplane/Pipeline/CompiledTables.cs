using Dataplane.Balancing;

namespace Dataplane.Pipeline;

/// <summary>Tables and what has changed against the ones before.</summary>
/// <param name="Tables">The tables.</param>
/// <param name="Changes">Consistent-hash tables that were changed.</param>
/// <param name="Shifts">Backend slots for which something has changed.</param>
/// <param name="NextDueNs">When something changes by itself next, in worker time.</param>
/// <param name="ServicesCompiled">Services that were compiled; the others are those of the tables before.</param>
internal sealed record CompiledTables(ForwardingTables Tables, IReadOnlyList<ServiceChange> Changes, IReadOnlyList<BackendShift> Shifts, long NextDueNs, int ServicesCompiled);
