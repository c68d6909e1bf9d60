using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh;

/// <summary>A mesh: a domain, the services in it, and where more of them come from. Immutable; a changed copy is made by <c>with</c>.</summary>
public sealed record MeshSpec
{
    /// <summary>Domain under which services have their names: <c>web.mesh.example</c>.</summary>
    public required string Domain { get; init; }

    /// <summary>Domain of the names that Kubernetes gives services (<c>my-service.default.svc.cluster.local</c>).</summary>
    public string ClusterDomain { get; init; } = "cluster.local";

    /// <summary>Ranges from which services get addresses of their own, at most one of each family. The first sixteenth of a range (16 to 256 addresses) is
    /// left to services that name their address.</summary>
    public IReadOnlyList<IpPrefix> Addresses { get; init; } = [];

    /// <summary>Ranges from which services of kind LoadBalancer get the address that the outside uses, at most one of each family.</summary>
    public IReadOnlyList<IpPrefix> LoadBalancers { get; init; } = [];

    /// <summary>Addresses at which node ports are open.</summary>
    public IReadOnlyList<IpAddress> NodeAddresses { get; init; } = [];

    /// <summary>Slots of the Maglev tables of services: a prime from 251 to 5,000,011.</summary>
    public int TableSize { get; init; } = 65537;

    /// <summary>The name server; null: names are answered by nobody.</summary>
    public MeshDnsSpec? Dns { get; init; }

    /// <summary>The relays, for services whose connections are protected; null: there are none.</summary>
    public MeshRelaySpec? Relay { get; init; }

    /// <summary>Services of the configuration itself.</summary>
    public IReadOnlyList<MeshServiceSpec> Services { get; init; } = [];

    /// <summary>Endpoints that services of any source choose among by their labels.</summary>
    public IReadOnlyList<MeshEndpointSpec> Endpoints { get; init; } = [];

    /// <summary>Where more services and endpoints come from. Of two services of one name that of the configuration, then that of the first source counts.</summary>
    public IReadOnlyList<MeshSourceSpec> Sources { get; init; } = [];
}
