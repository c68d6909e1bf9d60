namespace Dataplane.Mesh.Relay;

/// <summary>An endpoint and what became of connections to it. Its pool's lock guards what changes, but for the counters.</summary>
internal sealed class Endpoint(EndpointSpec spec)
{
    private int _active;
    private long _failures;

    internal EndpointSpec Spec { get; } = spec;

    /// <summary>Connections that stand or are being made.</summary>
    internal int Active => Volatile.Read(ref _active);

    /// <summary>Connections that could not be made.</summary>
    internal long Failures => Interlocked.Read(ref _failures);

    /// <summary>What is left of its turn (smooth weighted round robin).</summary>
    internal int Turn { get; set; }

    /// <summary>Failures since the last success.</summary>
    internal int FailuresInRow { get; set; }

    /// <summary>How often in a row it was left out.</summary>
    internal int EjectionsInRow { get; set; }

    /// <summary>Until when it is left out, on the clock of <see cref="Environment.TickCount64"/>.</summary>
    internal long EjectedUntilMs { get; set; }

    internal void Opened() => Interlocked.Increment(ref _active);

    internal void Closed() => Interlocked.Decrement(ref _active);

    internal void Failed() => Interlocked.Increment(ref _failures);
}
