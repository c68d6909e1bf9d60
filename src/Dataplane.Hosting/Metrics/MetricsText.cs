using System.Buffers;
using System.Diagnostics.Metrics;
using Dataplane.Hosting.Reloading;

namespace Dataplane.Hosting.Metrics;

/// <summary>Writes all metrics of an engine as text.</summary>
internal static class MetricsText
{
    public static void Write(IBufferWriter<byte> output, MetricsFormat format, DataplaneEngine engine, ReloadState reloads, IEnumerable<IMoreMetrics>? more = null)
    {
        var reading = new EngineReading(engine, reloads);
        var writer = new PrometheusTextWriter(output, format);
        foreach (EngineMetric metric in EngineMetrics.All)
        {
            writer.BeginFamily(metric.Name, metric.Kind == MetricKind.Counter, metric.Unit, metric.Description);
            foreach (Measurement<long> measurement in metric.Read(reading))
            {
                writer.Sample(measurement.Value, measurement.Tags);
            }
        }

        foreach (IMoreMetrics others in more ?? [])
        {
            others.Write(writer);
        }

        writer.End();
    }
}
