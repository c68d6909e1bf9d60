using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>A hardware address that a learning bridge knows.</summary>
/// <param name="Bridge">Name of the bridge.</param>
/// <param name="Mac">The address.</param>
/// <param name="Vlan">The VLAN it was seen in; 0 for frames without a tag.</param>
/// <param name="Port">Name of the port behind which it is.</param>
/// <param name="AgeSeconds">How long ago it was seen, in whole seconds.</param>
public sealed record BridgeAddress(string Bridge, MacAddress Mac, int Vlan, string Port, int AgeSeconds);
