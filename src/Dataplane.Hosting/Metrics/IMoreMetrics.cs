namespace Dataplane.Hosting.Metrics;

/// <summary>Metrics that stand behind those of the engine in one answer to a scrape; for programs that do more than forward.</summary>
internal interface IMoreMetrics
{
    /// <summary>Writes whole families. Any thread.</summary>
    void Write(PrometheusTextWriter writer);
}
