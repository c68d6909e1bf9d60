using System.Diagnostics.Metrics;
using Dataplane.Hosting.Reloading;

namespace Dataplane.Hosting.Metrics;

/// <summary>The meter <c>Dataplane</c>: observable instruments over the counters that the engine keeps anyway.</summary>
internal sealed class DataplaneMeter
{
    /// <summary>Publishes the instruments; the factory disposes the meter with the host.</summary>
    public DataplaneMeter(IMeterFactory factory, DataplaneEngine engine, ReloadState reloads)
    {
        Meter meter = factory.Create(new MeterOptions(EngineMetrics.MeterName) { Version = typeof(DataplaneEngine).Assembly.GetName().Version?.ToString(3) });
        foreach (EngineMetric metric in EngineMetrics.All)
        {
            IEnumerable<Measurement<long>> Observe() => metric.Read(new EngineReading(engine, reloads));

            _ = metric.Kind switch
            {
                MetricKind.Counter => (Instrument)meter.CreateObservableCounter(metric.Name, Observe, metric.Unit, metric.Description),
                MetricKind.UpDownCounter => meter.CreateObservableUpDownCounter(metric.Name, Observe, metric.Unit, metric.Description),
                _ => meter.CreateObservableGauge(metric.Name, Observe, metric.Unit, metric.Description),
            };
        }
    }
}
