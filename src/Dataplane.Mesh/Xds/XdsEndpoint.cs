using Dataplane.Packets;

namespace Dataplane.Mesh.Xds;

/// <summary>An endpoint of a cluster. Immutable.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Port">Its port.</param>
/// <param name="Protocol">6 (TCP) or 17 (UDP).</param>
/// <param name="Weight">Its weight among the others, 1 or more.</param>
/// <param name="Health">What the server knows of it.</param>
/// <param name="Priority">0 for those that are used first.</param>
/// <param name="Place">Where it is.</param>
/// <param name="Hostname">Its name; may be empty.</param>
internal sealed record XdsEndpoint(IpAddress Address, ushort Port, byte Protocol, uint Weight, XdsHealth Health, uint Priority, XdsLocality Place, string Hostname);

/// <summary>Where an endpoint is (envoy.config.core.v3.Locality). What is not known is empty.</summary>
internal readonly record struct XdsLocality(string Region, string Zone, string SubZone);

/// <summary>What a server knows of an endpoint (envoy.config.core.v3.HealthStatus); the numbers are those on the wire.</summary>
internal enum XdsHealth
{
    /// <summary>Not known; used as if healthy.</summary>
    Unknown = 0,

    /// <summary>Well.</summary>
    Healthy = 1,

    /// <summary>Not to be used.</summary>
    Unhealthy = 2,

    /// <summary>About to end: what it has stays, nothing new comes.</summary>
    Draining = 3,

    /// <summary>Did not answer; as unhealthy.</summary>
    Timeout = 4,

    /// <summary>Serves, but others are better.</summary>
    Degraded = 5,
}
