namespace Dataplane.Telemetry;

/// <summary>A learning bridge as it is now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Capacity">Addresses that it has room for.</param>
/// <param name="Ports">Its ports, in the order of the configuration.</param>
public sealed record BridgeStatus(string Name, int Capacity, IReadOnlyList<BridgePortStatus> Ports);
