using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>The state and the counters of one backend.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Port">Its port.</param>
/// <param name="Weight">Its share of new flows, as configured.</param>
/// <param name="Flows">Flows it has been given.</param>
/// <param name="Packets">Packets to and from it.</param>
/// <param name="Bytes">Their bytes.</param>
public sealed record BackendStatus(IpAddress Address, ushort Port, int Weight, long Flows, long Packets, long Bytes)
{
    /// <summary>Whether it takes new flows.</summary>
    public BackendState State { get; init; }

    /// <summary>Why it is in this state, in words; empty where the configuration says it all.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Flows that remember it now.</summary>
    public long ActiveFlows { get; init; }

    /// <summary>TCP handshakes completed.</summary>
    public long Established { get; init; }

    /// <summary>TCP connections it refused by a reset.</summary>
    public long Refused { get; init; }

    /// <summary>SYNs that clients repeated, since the first had no answer.</summary>
    public long Unanswered { get; init; }

    /// <summary>Flows that the hash gave it and that went to others, since it had as many as <see cref="ServiceSpec.MaxLoad"/> allows.</summary>
    public long Diverted { get; init; }
}
