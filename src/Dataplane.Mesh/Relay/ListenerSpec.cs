using System.Net;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Relay;

/// <summary>One address at which a relay takes connections in, and where they go.</summary>
public sealed record ListenerSpec
{
    /// <summary>Its name in metrics, records and policies.</summary>
    public string Name { get; init; } = "";

    /// <summary>What it takes in.</summary>
    public ListenerKind Kind { get; init; }

    /// <summary>Address and port; <c>[::]</c> takes IPv4 as well.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.IPv6Any, 0);

    /// <summary>Where it learns what a connection was meant for.</summary>
    public OriginalDestination Original { get; init; }

    /// <summary>
    /// Addresses from which a header of the PROXY protocol, version 2, must come first, and is believed. Inbound listeners take it inside the TLS stream.
    /// From all others such a header is taken for what the application says.
    /// </summary>
    public IReadOnlyList<IPNetwork> ProxyFrom { get; init; } = [];

    /// <summary>Identities whose header is believed, for inbound listeners.</summary>
    public IReadOnlyList<SpiffePattern> ProxyFromIdentities { get; init; } = [];

    /// <summary>Certificates of an edge; the first is shown to clients that name nobody.</summary>
    public IReadOnlyList<CertificateSpec> Certificates { get; init; } = [];

    /// <summary>Whether an edge speaks TLS 1.2 besides 1.3.</summary>
    public bool AllowTls12 { get; init; }

    /// <summary>Protocols that an edge offers (ALPN), the one it likes best first.</summary>
    public IReadOnlyList<string> Protocols { get; init; } = [];

    /// <summary>The routes in order; the first that fits is taken.</summary>
    public IReadOnlyList<RouteSpec> Routes { get; init; } = [];

    /// <summary>Whether it was made of a mesh: then it may have no endpoint, or none yet.</summary>
    internal bool IsOfMesh { get; init; }
}
