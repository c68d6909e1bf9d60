namespace Dataplane.Hosting.Metrics;

/// <summary>The text formats that Prometheus reads.</summary>
public enum MetricsFormat
{
    /// <summary>Prometheus text format 0.0.4.</summary>
    Prometheus,

    /// <summary>OpenMetrics 1.0.0: the family of a counter is named without <c>_total</c>, units are stated, and the text has an end.</summary>
    OpenMetrics,
}
