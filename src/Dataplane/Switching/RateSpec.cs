namespace Dataplane.Switching;

/// <summary>Limits of an endpoint's traffic: a token bucket each way, over whole frames without their preamble and checksum.</summary>
public sealed record RateSpec
{
    /// <summary>What the endpoint may receive in bits per second, 1,000 to 1,000,000,000,000; null: no limit.</summary>
    public long? In { get; init; }

    /// <summary>What the endpoint may send in bits per second, 1,000 to 1,000,000,000,000; null: no limit.</summary>
    public long? Out { get; init; }

    /// <summary>How many bytes may come at once when the endpoint has been quiet, 1,600 to 4,294,967,295; null: what passes in 100 ms, but 131,072 at least.</summary>
    public long? InBurst { get; init; }

    /// <inheritdoc cref="InBurst"/>
    public long? OutBurst { get; init; }
}
