using Dataplane.Packets;

namespace Dataplane.Balancing.Compatibility;

/// <summary>A proxy server as GLB's director sees it.</summary>
/// <param name="Address">Its address.</param>
/// <param name="State">What the configuration says of it.</param>
/// <param name="IsHealthy">Whether its health check passes; if not, it is second wherever the other backend of the row is active.</param>
public readonly record struct GlbBackend(IpAddress Address, GlbBackendState State = GlbBackendState.Active, bool IsHealthy = true);
