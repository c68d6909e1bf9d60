using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Nat;

/// <summary>An outside address and the one inside host it stands for.</summary>
/// <param name="Address">The outside address, with its slot.</param>
/// <param name="Inside">The host.</param>
internal readonly record struct NatStatic(BackendRuntime Address, IpAddress Inside);
