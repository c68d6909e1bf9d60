namespace Dataplane.Mesh.Relay;

/// <summary>How one of several endpoints is chosen; weights count in both.</summary>
public enum EndpointBalance
{
    /// <summary>In turn, an endpoint of twice the weight twice as often, spread evenly.</summary>
    RoundRobin,

    /// <summary>The one with the fewest open connections for its weight.</summary>
    LeastConnections,
}
