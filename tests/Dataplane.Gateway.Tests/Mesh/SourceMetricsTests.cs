using System.Buffers;
using System.Text;
using Dataplane.Gateway.Mesh;
using Dataplane.Hosting.Metrics;
using Dataplane.Mesh;
using Dataplane.Mesh.Sources;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Dataplane.Gateway.Tests.Mesh;

/// <summary>How sources fare, as Prometheus and health checks are told.</summary>
public sealed class SourceMetricsTests
{
    private static string Text(MeshRuntime mesh)
    {
        var buffer = new ArrayBufferWriter<byte>();
        new SourceMetrics(mesh, TimeProvider.System).Write(new PrometheusTextWriter(buffer));
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    [Fact]
    public async Task Write_AStaleSourceAndAGoodOne_AreToldApart()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "kind: Service\nmetadata: { name: web }\nspec: { ports: [ { port: 80 } ] }\n");
            await using var mesh = new MeshRuntime(TimeProvider.System);
            Assert.Equal("", Text(mesh));
            await mesh.StartAsync(new DataplaneSpec(), new MeshSpec
            {
                Domain = "mesh.test",
                Sources = [new MeshSourceSpec { Kind = MeshSourceKind.Kubernetes, Files = [file] }, new MeshSourceSpec { Kind = MeshSourceKind.Kubernetes, Api = "http://127.0.0.1:1" }],
            });
            string text = Text(mesh), good = Path.GetFileName(file);
            Assert.Contains($"dataplane_mesh_source_stale{{dataplane_mesh_source=\"kubernetes {good}\"}} 0\n", text, StringComparison.Ordinal);
            Assert.Contains($"dataplane_mesh_source_services{{dataplane_mesh_source=\"kubernetes {good}\"}} 1\n", text, StringComparison.Ordinal);
            Assert.Contains("dataplane_mesh_source_stale{dataplane_mesh_source=\"kubernetes http://127.0.0.1:1\"} 1\n", text, StringComparison.Ordinal);
            Assert.Contains("dataplane_mesh_source_staleness_seconds{dataplane_mesh_source=\"kubernetes http://127.0.0.1:1\"} -1\n", text, StringComparison.Ordinal);

            HealthCheckResult health = await new SourceHealthCheck(mesh).CheckHealthAsync(new HealthCheckContext());
            Assert.Equal(HealthStatus.Degraded, health.Status);
            Assert.Contains("http://127.0.0.1:1", health.Description, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
