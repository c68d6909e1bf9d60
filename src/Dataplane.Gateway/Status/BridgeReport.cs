using System.Text.Json;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Status;

/// <summary>Learning bridges and the addresses they know, as <c>/bridges</c> answers.</summary>
/// <param name="Bridges">Bridges and their ports.</param>
/// <param name="Addresses">What they know.</param>
internal sealed record BridgeReport(IReadOnlyList<BridgeStatus> Bridges, IReadOnlyList<BridgeReport.Address> Addresses)
{
    public static string Json(DataplaneEngine engine) => JsonSerializer.Serialize(Of(engine), StatusJson.Default.BridgeReport);

    public static BridgeReport Of(DataplaneEngine engine) =>
        new(engine.ReadBridges(), [.. engine.ReadBridgeAddresses().Select(known => new Address(known.Bridge, known.Mac.ToString(), known.Vlan, known.Port, known.AgeSeconds))]);

    /// <summary>How many addresses a bridge has forgotten.</summary>
    internal sealed record Flushed(int Forgotten);

    internal sealed record Address(string Bridge, string Mac, int Vlan, string Port, int AgeSeconds);
}
