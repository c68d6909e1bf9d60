namespace Dataplane.Telemetry;

/// <summary>A change of a backend that has come into force, by a new configuration, by its health, or since the deadline of its drain has passed.</summary>
/// <param name="Time">When.</param>
/// <param name="Version">Version of the tables by which it holds.</param>
/// <param name="Change">What changed.</param>
public sealed record BackendEvent(DateTimeOffset Time, int Version, BackendChange Change)
{
    /// <inheritdoc/>
    public override string ToString() => Change.ToString();
}
