using Dataplane.Packets;

namespace Dataplane.Mesh;

/// <summary>The relays of a mesh, by which services with <see cref="Services.MeshServiceTls.Mutual"/> are carried. Immutable.</summary>
/// <remarks>
/// The engine sends such a service's connections to the relay beside it, each port of a service to a port of its own there; that relay takes them by mutual TLS
/// to the relay beside the endpoint, which hands them to the application. All three know the endpoints from the same mesh.
/// </remarks>
public sealed record MeshRelaySpec
{
    /// <summary>How many ports services share.</summary>
    internal const int PortCount = 8192;

    /// <summary>Where the relay of the clients listens, one address of each family at most; not an address of the engine's own.</summary>
    public IReadOnlyList<IpAddress> Outbound { get; init; } = [];

    /// <summary>First of the 8,192 ports at which it does, 1024 to 57344. The port of a service depends on its name alone.</summary>
    public int FirstPort { get; init; } = 20000;

    /// <summary>Port at which the relays beside the endpoints listen, at the endpoints' own addresses.</summary>
    public int InboundPort { get; init; } = 15008;

    /// <summary>Trust domain of the services' identities: who serves <c>NAMESPACE/NAME</c> must be <c>spiffe://DOMAIN/ns/NAMESPACE/sa/NAME</c>. Empty: each
    /// service names its own.</summary>
    public string TrustDomain { get; init; } = "";
}
