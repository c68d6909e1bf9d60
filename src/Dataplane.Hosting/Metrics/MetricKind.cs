namespace Dataplane.Hosting.Metrics;

/// <summary>What a value does over time.</summary>
internal enum MetricKind
{
    /// <summary>Only grows.</summary>
    Counter,

    /// <summary>Goes up and down, and adds up over several engines.</summary>
    UpDownCounter,

    /// <summary>Goes up and down, and does not add up.</summary>
    Gauge,
}
