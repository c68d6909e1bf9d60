using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>One service and the counters of its backends.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Its address, or the first of its prefix.</param>
/// <param name="Port">Its port, or the first of several; 0 when it has all.</param>
/// <param name="Protocol">6 TCP, 17 UDP.</param>
/// <param name="Backends">Its backends in the order of the configuration.</param>
public sealed record ServiceStatus(string Name, IpAddress Address, ushort Port, byte Protocol, IReadOnlyList<BackendStatus> Backends)
{
    /// <summary>Length of its prefix; null for one address.</summary>
    public int? PrefixLength { get; init; }

    /// <summary>The last of its ports; 0 when it has one.</summary>
    public ushort LastPort { get; init; }

    /// <summary>What connection IDs said; null when the service does not ask (<see cref="Balancing.ServiceSpec.Quic"/>).</summary>
    public ConnectionIdStatus? ConnectionIds { get; init; }

    /// <summary>Whether so few backends are up that health is disregarded (<see cref="Health.HealthSpec.PanicPercent"/>).</summary>
    public bool IsPanicking { get; init; }
}
