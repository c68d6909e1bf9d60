using System.Net;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>Where connections of a listener go. Of each list of conditions one entry must fit, and of an empty list anything does.</summary>
public sealed record RouteSpec
{
    /// <summary>Its name in records; empty: that of the listener.</summary>
    public string Name { get; init; } = "";

    /// <summary>Condition: names that the client asked for (SNI), where <c>*.example.org</c> means all names below.</summary>
    public IReadOnlyList<string> ServerNames { get; init; } = [];

    /// <summary>Condition: prefixes of the address that the connection was meant for.</summary>
    public IReadOnlyList<IPNetwork> Destinations { get; init; } = [];

    /// <summary>Condition: ports that the connection was meant for.</summary>
    public IReadOnlyList<int> Ports { get; init; } = [];

    /// <summary>The places, of which one is chosen for each connection, and another when it cannot be reached.</summary>
    public IReadOnlyList<EndpointSpec> Endpoints { get; init; } = [];

    /// <summary>How it is chosen.</summary>
    public EndpointBalance Balance { get; init; }

    /// <summary>How it is connected to.</summary>
    public UpstreamKind Connect { get; init; }

    /// <summary>Who the peer must be, where <see cref="Connect"/> is mutual.</summary>
    public IReadOnlyList<SpiffePattern> Peers { get; init; } = [];

    /// <summary>The name to ask the destination for (SNI), where <see cref="Connect"/> is not plain. With TLS its certificate must have the name.</summary>
    public string ServerName { get; init; } = "";

    /// <summary>File with the authorities that a destination's certificate may come from, where <see cref="Connect"/> is TLS; empty: the system's.</summary>
    public string Authorities { get; init; } = "";

    /// <summary>
    /// Whether a header of the PROXY protocol, version 2, tells the destination who the client is. To relays of the mesh it goes inside the TLS stream,
    /// to all others before everything else.
    /// </summary>
    public bool SendProxy { get; init; }
}
