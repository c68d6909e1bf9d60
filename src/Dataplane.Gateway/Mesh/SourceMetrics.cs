using Dataplane.Hosting.Metrics;
using Dataplane.Mesh;
using Dataplane.Mesh.Sources;

namespace Dataplane.Gateway.Mesh;

/// <summary>How the sources of a mesh fare, for Prometheus. Nothing for a configuration without a mesh.</summary>
internal sealed class SourceMetrics(MeshRuntime mesh, TimeProvider time) : IMoreMetrics
{
    private const string Source = "dataplane.mesh.source";

    public void Write(PrometheusTextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);

        // Two sources can have one name, and then would have one series.
        SourceStatus[] sources = [.. mesh.Sources.DistinctBy(source => source.Name, StringComparer.Ordinal)];
        if (sources.Length == 0)
        {
            return;
        }

        DateTimeOffset now = time.GetUtcNow();
        Family(writer, sources, "stale", "1", "1 while what a source said last may be out of date, otherwise 0.", source => source.IsStale ? 1 : 0);
        Family(writer, sources, "staleness", "s", "How long ago a source that is stale was heard; 0 for one that is in step, -1 for one that was never heard.",
            source => !source.IsStale ? 0 : source.LastHeard is { } heard ? Math.Max(0, (long)(now - heard).TotalSeconds) : -1);
        Family(writer, sources, "revision", "1", "Counts up with every change that a source told.", source => source.Revision);
        Family(writer, sources, "services", "{service}", "Services of a source.", source => source.Services);
        Family(writer, sources, "endpoints", "{endpoint}", "Endpoints of a source.", source => source.Endpoints);
        Family(writer, sources, "left_out", "{object}", "Objects of a source that are wrong in themselves and were left out.", source => source.LeftOut.Count);
    }

    private static void Family(PrometheusTextWriter writer, SourceStatus[] sources, string name, string unit, string help, Func<SourceStatus, long> read)
    {
        writer.BeginFamily($"{Source}.{name}", isCounter: false, unit, help);
        foreach (SourceStatus source in sources)
        {
            writer.Sample(read(source), new KeyValuePair<string, object?>(Source, source.Name));
        }
    }
}
