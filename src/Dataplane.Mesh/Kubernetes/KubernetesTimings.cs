namespace Dataplane.Mesh.Kubernetes;

/// <summary>How long things may take between a source and an API server.</summary>
internal sealed record KubernetesTimings
{
    /// <summary>Waiting before the second try; it doubles up to <see cref="MaxDelay"/>, and half of it is left to chance so that gateways do not come at once.</summary>
    public TimeSpan MinDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait: an outage is over for the mesh at most this long after it is over for the server.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long one page of a list, or the beginning of a watch, may take.</summary>
    public TimeSpan Request { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a watch may say nothing. Servers send a bookmark about once a minute; a stream that is silent for longer may have no other end any more.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(150);

    /// <summary>How long the server is asked to keep a watch at least; up to twice as long, by chance, as client-go does.</summary>
    public TimeSpan Watch { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>A watch that ended sooner than this and said nothing counts as failed: it must not be begun again and again at once.</summary>
    public TimeSpan ShortWatch { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long changes are gathered before they are told: one rollout is hundreds of them.</summary>
    public TimeSpan Gather { get; init; } = TimeSpan.FromMilliseconds(50);
}
