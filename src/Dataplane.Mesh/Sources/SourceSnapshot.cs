using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>All that a source says at one moment. Immutable.</summary>
internal sealed record SourceSnapshot
{
    /// <summary>Nothing, from a source that has not said anything yet.</summary>
    public static SourceSnapshot Empty { get; } = new();

    /// <summary>Counts up with every change; 0: the source has not said anything yet.</summary>
    public long Revision { get; init; }

    /// <summary>The services; the same object as before as long as none of them has changed.</summary>
    public IReadOnlyList<MeshServiceSpec> Services { get; init; } = [];

    /// <summary>The endpoints.</summary>
    public EndpointSet Endpoints { get; init; } = EndpointSet.Empty;
}
