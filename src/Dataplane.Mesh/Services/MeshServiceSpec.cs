using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>A service of a mesh. Immutable.</summary>
public sealed record MeshServiceSpec
{
    /// <summary>Name, one label of a domain name; unique in its name space.</summary>
    public required string Name { get; init; }

    /// <summary>Name space; services of <c>default</c> can be found without it.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>More names in its name space, labels; one that is a service's there leads to that service and not here, one of several services to all of them.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>How it can be reached.</summary>
    public MeshServiceKind Kind { get; init; }

    /// <summary>Its ports.</summary>
    public IReadOnlyList<MeshPortSpec> Ports { get; init; } = [];

    /// <summary>Addresses of its own; none: one of each range of the mesh, which depends on the name.</summary>
    public IReadOnlyList<IpAddress> Addresses { get; init; } = [];

    /// <summary>Addresses for the outside; none: one of each range for them, which depends on the name.</summary>
    public IReadOnlyList<IpAddress> LoadBalancerAddresses { get; init; } = [];

    /// <summary>Labels an endpoint must have to serve it; none: no endpoint is chosen by its labels.</summary>
    public IReadOnlyDictionary<string, string> Selector { get; init; } = new Dictionary<string, string>();

    /// <summary>Endpoints that serve it in any case.</summary>
    public IReadOnlyList<MeshEndpointSpec> Endpoints { get; init; } = [];

    /// <summary>How an endpoint is chosen for a new flow.</summary>
    public BalancePolicy Balance { get; init; }

    /// <summary>How long others may keep its addresses, in seconds; null: as the mesh says.</summary>
    public int? TtlSeconds { get; init; }

    /// <summary>The name that a service of kind ExternalName is an alias of.</summary>
    public string ExternalName { get; init; } = "";

    /// <summary>Whether endpoints that are not ready count as if they were.</summary>
    public bool PublishNotReady { get; init; }

    /// <summary>How its connections are protected on their way.</summary>
    public MeshServiceTls Tls { get; init; }

    /// <summary>Who the relays before its endpoints must be, where <see cref="Tls"/> is mutual: a SPIFFE identity or pattern. Empty: as the mesh's
    /// <see cref="MeshRelaySpec.TrustDomain"/> says.</summary>
    public string Identity { get; init; } = "";

    /// <summary>Whether it has the names that Kubernetes gives services, beside those of the mesh.</summary>
    public bool IsKubernetes { get; init; }

    /// <summary>Name space and name.</summary>
    internal string Key => $"{Namespace}/{Name}";
}
