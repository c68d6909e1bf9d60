using System.Diagnostics.Metrics;

namespace Dataplane.Mesh.Relay;

/// <summary>The metrics of a relay for the listeners of the runtime: OpenTelemetry, dotnet-counters, dotnet-monitor.</summary>
internal sealed class RelayMeter : IDisposable
{
    internal const string Name = "Dataplane.Mesh";

    private readonly Meter _meter = new(Name);
    private readonly Histogram<double> _duration;

    internal RelayMeter(RelayServer server)
    {
        foreach (RelayMetric metric in RelayMetric.All)
        {
            if (metric.IsCounter)
                _meter.CreateObservableCounter(metric.Name, () => metric.Read(server.ReadStatus()), metric.Unit, metric.Description);
            else
                _meter.CreateObservableGauge(metric.Name, () => metric.Read(server.ReadStatus()), metric.Unit, metric.Description);
        }

        _duration = _meter.CreateHistogram<double>("dataplane.relay.connection.duration", "s", "How long connections stood.");
    }

    /// <summary>Notes that a connection ended.</summary>
    internal void Ended(AccessRecord record)
    {
        if (_duration.Enabled)
            _duration.Record(record.Duration.TotalSeconds, new("listener", record.Listener), new("reason", RelayNames.Of(record.Reason)));
    }

    public void Dispose() => _meter.Dispose();
}
