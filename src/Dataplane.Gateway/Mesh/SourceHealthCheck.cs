using Dataplane.Mesh;
using Dataplane.Mesh.Sources;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Dataplane.Gateway.Mesh;

/// <summary>Degraded while a source of the mesh is stale: the gateway goes on with what was said last, so it is no reason to take it away.</summary>
internal sealed class SourceHealthCheck(MeshRuntime mesh) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        SourceStatus[] stale = [.. mesh.Sources.Where(source => source.IsStale)];
        return Task.FromResult(stale.Length == 0 ? HealthCheckResult.Healthy() : HealthCheckResult.Degraded(string.Join("; ", stale.Select(source => $"{source.Name}: {source.Problem}"))));
    }
}
