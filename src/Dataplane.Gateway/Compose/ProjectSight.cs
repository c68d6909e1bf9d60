namespace Dataplane.Gateway.Compose;

/// <summary>What was seen of a project that is up: processes end, and networks can be lost, without its file having changed.</summary>
internal sealed record ProjectSight
{
    /// <summary>Replicas whose process runs.</summary>
    public IReadOnlySet<string> Running { get; init; } = new HashSet<string>();

    /// <summary>Replicas whose namespace and endpoints are all there, with their addresses.</summary>
    public IReadOnlySet<string> Attached { get; init; } = new HashSet<string>();

    /// <summary>Networks that are there.</summary>
    public IReadOnlySet<string> Networks { get; init; } = new HashSet<string>();

    /// <summary>Networks of the project that others are attached to as well, with one of those.</summary>
    public IReadOnlyDictionary<string, string> Strangers { get; init; } = new Dictionary<string, string>();
}
