using System.Net;
using Dataplane.Gateway.Mesh;
using Dataplane.Gateway.Status;
using Dataplane.Hosting.Metrics;
using Dataplane.Hosting.Reloading;
using Dataplane.Mesh;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Dataplane.Gateway.Commands;

/// <summary>Answers Prometheus and health checks of a running engine.</summary>
internal static class MetricsServer
{
    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static Task<HttpService> StartAsync(IPEndPoint endPoint, DataplaneEngine engine, ReloadState state, MeshRuntime? mesh = null,
        IMoreMetrics? more = null) => HttpService.StartMetricsAsync(
        endPoint,
        builder =>
        {
            builder.Services.AddSingleton(engine);
            builder.Services.AddSingleton(state);
            IHealthChecksBuilder checks = builder.Services.AddHealthChecks().AddDataplane();
            if (more is not null)
            {
                builder.Services.AddSingleton(more);
            }

            if (mesh is not null)
            {
                builder.Services.AddSingleton<IMoreMetrics>(new SourceMetrics(mesh, TimeProvider.System));
                checks.AddCheck("mesh", new SourceHealthCheck(mesh), tags: ["ready"]);
            }
        },
        web =>
        {
            web.MapDataplaneMetrics();
            web.MapGet("/bridges", (RequestDelegate)(context =>
            {
                context.Response.ContentType = "application/json";
                return context.Response.WriteAsync(BridgeReport.Json(engine));
            }));
            web.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = check => check.Tags.Contains("live") });
            web.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains("ready") });
        });
}
