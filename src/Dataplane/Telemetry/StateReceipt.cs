namespace Dataplane.Telemetry;

/// <summary>What has become of the flows of a saved state.</summary>
/// <param name="Refusal">Why nothing of it was taken over; None when it was, and for one that was written.</param>
/// <param name="Flows">Flows written, or taken over.</param>
public sealed record StateReceipt(StateRefusal Refusal, long Flows)
{
    /// <summary>When it was written; the default when it was refused before that was read.</summary>
    public DateTimeOffset WrittenAt { get; init; }

    /// <summary>Flows not taken over because the configuration has no such service, backend or translation any more, or ends the flows it had.</summary>
    public long WithoutBackend { get; init; }

    /// <summary>Flows not taken over because there was no room for them.</summary>
    public long WithoutRoom { get; init; }

    /// <summary>Flows not taken over because one with the same addresses and ports has begun meanwhile.</summary>
    public long Replaced { get; init; }

    /// <summary>In a line, as the program prints it.</summary>
    public override string ToString() => Refusal != StateRefusal.None
        ? $"state refused ({Refusal}): cold start"
        : $"{Flows} flows, {WithoutBackend} without backend, {WithoutRoom} without room, {Replaced} replaced";
}
