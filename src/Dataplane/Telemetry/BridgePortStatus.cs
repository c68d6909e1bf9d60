namespace Dataplane.Telemetry;

/// <summary>A port of a learning bridge as it is now. Counters go on while the port stays in its bridge.</summary>
/// <param name="Port">Name of the port.</param>
/// <param name="Addresses">Addresses known behind it.</param>
public sealed record BridgePortStatus(string Port, int Addresses)
{
    /// <summary>Frames that came by it, whatever became of them.</summary>
    public long Frames { get; init; }

    /// <summary>Their bytes, from the first MAC byte, without FCS.</summary>
    public long Bytes { get; init; }

    /// <summary>Addresses that were new.</summary>
    public long Learnt { get; init; }

    /// <summary>Frames from addresses for which there was no room.</summary>
    public long Unlearnt { get; init; }

    /// <summary>Addresses that came here from another port.</summary>
    public long Moves { get; init; }

    /// <summary>Frames dropped because too many did.</summary>
    public long MovesRefused { get; init; }

    /// <summary>Frames to unknown addresses that left by all ports.</summary>
    public long FloodedUnknown { get; init; }

    /// <summary>Broadcasts that left by all ports.</summary>
    public long FloodedBroadcast { get; init; }

    /// <summary>Frames to groups that left by all ports.</summary>
    public long FloodedMulticast { get; init; }

    /// <summary>Frames to unknown addresses beyond the limit.</summary>
    public long LimitedUnknown { get; init; }

    /// <summary>Broadcasts beyond the limit.</summary>
    public long LimitedBroadcast { get; init; }

    /// <summary>Frames to groups beyond the limit.</summary>
    public long LimitedMulticast { get; init; }
}
