using System.Text.Json;

namespace Dataplane.Gateway.Status;

/// <summary>All counters of an engine as one line of JSON.</summary>
internal static class StatusLine
{
    public static string Write(DataplaneEngine engine) => JsonSerializer.Serialize(GatewayStatus.Read(engine), StatusJson.Default.GatewayStatus);

    /// <summary>Reads a line back; null when it is another kind of line.</summary>
    public static GatewayStatus? TryRead(string line) => line.StartsWith('{') ? JsonSerializer.Deserialize(line, StatusJson.Default.GatewayStatus) : null;
}
