namespace Dataplane.Mesh.Kubernetes;

/// <summary>An API server refused, or said something that cannot be understood.</summary>
internal sealed class KubernetesException(int code, string message) : Exception(message)
{
    /// <summary>The HTTP status code, or that of the Status object; 0: what came is no answer of an API server.</summary>
    public int Code { get; } = code;

    /// <summary>Whether what was asked for by its version is not kept any more (410 Gone), so that everything must be read again.</summary>
    public bool IsGone => Code == 410;

    /// <summary>How long to wait before the next try, if the server says so.</summary>
    public TimeSpan RetryAfter { get; init; }
}
