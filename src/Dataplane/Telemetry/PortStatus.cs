using Dataplane.Ports;

namespace Dataplane.Telemetry;

/// <summary>One port as it is now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">What it is made of.</param>
/// <param name="Link">Whether frames can pass.</param>
/// <param name="Statistics">Its counters.</param>
public sealed record PortStatus(string Name, PortKind Kind, LinkState Link, PortStatistics Statistics)
{
    /// <summary>Why frames cannot pass, in words; empty when they can, or the state says it all.</summary>
    public string LinkReason { get; init; } = "";

    /// <summary>How it works where that is decided at opening, such as <c>native XDP, copy</c>; else empty.</summary>
    public string Description { get; init; } = "";

    /// <summary>What happened to it beside the frames it carried, such as peers that were refused; what has not happened is left out.</summary>
    public IReadOnlyList<PortEvent> Events { get; init; } = [];

    /// <summary>Times that workers asked it for frames, by all its queues.</summary>
    public long Polls { get; init; }

    /// <summary>Of these, times it had some.</summary>
    public long Batches { get; init; }

    /// <summary>Sleeps of workers that its descriptor ended; where several ports had frames then, the first of them. 0 for ports that signal the worker itself.</summary>
    public long Wakes { get; init; }

    /// <summary>The counters of each queue, of which <see cref="Statistics"/> are the sum; empty for a port of one queue.</summary>
    public IReadOnlyList<PortStatistics> Queues { get; init; } = [];
}
