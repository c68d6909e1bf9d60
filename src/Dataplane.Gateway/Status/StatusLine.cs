using System.Text.Json;
using Dataplane.Gateway.Commands;

namespace Dataplane.Gateway.Status;

/// <summary>All counters of an engine as one line of JSON.</summary>
internal static class StatusLine
{
    /// <summary>Prints a line at every interval until the timer is disposed.</summary>
    public static ITimer Every(TimeSpan interval, DataplaneEngine engine, LinePrinter print)
    {
        int busy = 0;
        return TimeProvider.System.CreateTimer(_ =>
        {
            // A reader that does not keep up gets fewer lines, not a queue of threads.
            if (Interlocked.Exchange(ref busy, 1) == 0)
            {
                print.Line(Write(engine));
                Volatile.Write(ref busy, 0);
            }
        }, null, interval, interval);
    }

    public static string Write(DataplaneEngine engine) => JsonSerializer.Serialize(GatewayStatus.Read(engine), StatusJson.Default.GatewayStatus);

    /// <summary>Reads a line back; null when it is another kind of line.</summary>
    public static GatewayStatus? TryRead(string line) => line.StartsWith('{') ? JsonSerializer.Deserialize(line, StatusJson.Default.GatewayStatus) : null;
}
