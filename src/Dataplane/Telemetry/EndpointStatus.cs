namespace Dataplane.Telemetry;

/// <summary>One endpoint of a network as it is now. Counters go on while the endpoint keeps its name and its port.</summary>
/// <param name="Network">Name of its network.</param>
/// <param name="Name">Its name.</param>
/// <param name="Port">Name of its port.</param>
public sealed record EndpointStatus(string Network, string Name, string Port)
{
    /// <summary>Frames that came from it, whatever became of them.</summary>
    public long SentFrames { get; init; }

    /// <summary>Their bytes, from the first MAC byte, without FCS.</summary>
    public long SentBytes { get; init; }

    /// <summary>Frames handed to its port.</summary>
    public long ReceivedFrames { get; init; }

    /// <summary>Their bytes.</summary>
    public long ReceivedBytes { get; init; }

    /// <summary>Frames from it that said they were from somebody else.</summary>
    public long Spoofed { get; init; }

    /// <summary>Messages from it that only the engine may send: router advertisements, redirects, and answers to others' DHCP clients.</summary>
    public long Rogue { get; init; }

    /// <summary>Router advertisements made for it.</summary>
    public long RouterAdvertisements { get; init; }

    /// <summary>DHCP messages from it that were taken in.</summary>
    public long DhcpMessages { get; init; }

    /// <summary>Frames from it beyond its rate.</summary>
    public long SentLimited { get; init; }

    /// <summary>Frames to it beyond its rate.</summary>
    public long ReceivedLimited { get; init; }
}
