namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>What the demo's client has seen.</summary>
/// <param name="Http">Requests for the web service, each over a connection of its own.</param>
/// <param name="Udp">Datagrams to the echo service.</param>
/// <param name="Guest">Requests from the second address, which is denied later on.</param>
/// <param name="ByBackend">Answers to HTTP requests per backend since the start, as the backends name themselves.</param>
internal sealed record TrafficReport(TrafficFigures Http, TrafficFigures Udp, TrafficFigures Guest, IReadOnlyDictionary<string, long> ByBackend)
{
    public static TrafficReport Empty { get; } = new(default, default, default, new Dictionary<string, long>());
}
