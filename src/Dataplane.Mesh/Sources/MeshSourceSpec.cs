using System.Net;

namespace Dataplane.Mesh.Sources;

/// <summary>A source of services and endpoints. Immutable.</summary>
public sealed record MeshSourceSpec
{
    /// <summary>What it is.</summary>
    public required MeshSourceKind Kind { get; init; }

    /// <summary>DNS: what is looked up.</summary>
    public IReadOnlyList<MeshLookupSpec> Lookups { get; init; } = [];

    /// <summary>DNS: who is asked, in turn; none: the name servers of the host (<c>/etc/resolv.conf</c>).</summary>
    public IReadOnlyList<IPEndPoint> Servers { get; init; } = [];

    /// <summary>Value of <see cref="Api"/> for a gateway that runs as a pod of the cluster: server, authority and token are where pods have them.</summary>
    public const string InCluster = "in_cluster";

    /// <summary>Kubernetes: address of an API server, or <see cref="InCluster"/>.</summary>
    public string Api { get; init; } = "";

    /// <summary>Kubernetes: a file as kubectl has it, with the address of an API server and credentials.</summary>
    public string Kubeconfig { get; init; } = "";

    /// <summary>Kubernetes: context of that file; empty: the current one.</summary>
    public string Context { get; init; } = "";

    /// <summary>Kubernetes: file with the authorities of the server at <see cref="Api"/>. Xds: of the servers. Empty: those of the system.</summary>
    public string CertificateAuthority { get; init; } = "";

    /// <summary>Kubernetes: the name spaces to follow; none: all.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>Kubernetes: files, or patterns in the last part of a path such as <c>manifests/*.yaml</c>.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Compose: the compose file.</summary>
    public string File { get; init; } = "";

    /// <summary>Compose: name of the project; empty: what the file says, or the name of its directory.</summary>
    public string Project { get; init; } = "";

    /// <summary>Compose: directory where projects are kept while they are up; empty: <c>/run/dataplane/compose</c>.</summary>
    public string Projects { get; init; } = "";

    /// <summary>Registration: address and port to listen at; none: it is followed. Etcd: addresses of the members, such as <c>http://127.0.0.1:2379</c>,
    /// asked in turn. Xds: addresses of the servers, asked in turn.</summary>
    public IReadOnlyList<string> Endpoints { get; init; } = [];

    /// <summary>Registration: addresses of one registry, such as <c>http://10.1.0.1:7070</c>, asked in turn by who follows it: relays, and gateways that have nothing to listen at in
    /// <see cref="Endpoints"/>. None: where it listens.</summary>
    public IReadOnlyList<string> Registries { get; init; } = [];

    /// <summary>Etcd: what the keys begin with.</summary>
    public string Prefix { get; init; } = "/dataplane/mesh/";

    /// <summary>Registration: file that holds the word every request must carry; empty: none is asked for. Kubernetes: file that holds the word shown to the server at
    /// <see cref="Api"/>; read anew for each request.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Xds: names of the clusters to follow; none: all that the server has for this node.</summary>
    public IReadOnlyList<string> Clusters { get; init; } = [];

    /// <summary>Xds: what the server knows this gateway by; empty: the name of the host.</summary>
    public string Node { get; init; } = "";

    /// <summary>Xds: what group of nodes this gateway says it belongs to; may be empty.</summary>
    public string NodeCluster { get; init; } = "";

    /// <summary>Xds: file with the certificate shown to the server, the intermediate ones behind it, as PEM; empty: none.</summary>
    public string Certificate { get; init; } = "";

    /// <summary>Xds: file with the private key of <see cref="Certificate"/>, as PEM.</summary>
    public string Key { get; init; } = "";
}
