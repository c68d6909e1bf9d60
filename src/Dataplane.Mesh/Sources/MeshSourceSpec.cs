namespace Dataplane.Mesh.Sources;

/// <summary>A source of services and endpoints. Immutable.</summary>
public sealed record MeshSourceSpec
{
    /// <summary>What it is.</summary>
    public required MeshSourceKind Kind { get; init; }

    /// <summary>Kubernetes: files, or patterns in the last part of a path such as <c>manifests/*.yaml</c>.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>Registration: address and port to listen at. Etcd: addresses of the members, such as <c>http://127.0.0.1:2379</c>, asked in turn.</summary>
    public IReadOnlyList<string> Endpoints { get; init; } = [];

    /// <summary>Etcd: what the keys begin with.</summary>
    public string Prefix { get; init; } = "/dataplane/mesh/";

    /// <summary>Registration: file that holds the word every request must carry; empty: none is asked for.</summary>
    public string TokenFile { get; init; } = "";
}
