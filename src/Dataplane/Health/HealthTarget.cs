using Dataplane.Balancing;

namespace Dataplane.Health;

/// <summary>A backend whose health is watched.</summary>
/// <param name="Identity">Which backend of which service.</param>
/// <param name="Spec">How.</param>
internal sealed record HealthTarget(BackendSlots.Identity Identity, HealthSpec Spec);
