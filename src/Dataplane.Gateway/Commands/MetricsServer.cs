using System.Net;
using Dataplane.Gateway.Status;
using Dataplane.Hosting.Reloading;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.DependencyInjection;

namespace Dataplane.Gateway.Commands;

/// <summary>Answers Prometheus and health checks of a running engine.</summary>
internal static class MetricsServer
{
    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static Task<HttpService> StartAsync(IPEndPoint endPoint, DataplaneEngine engine, ReloadState state) => HttpService.StartMetricsAsync(
        endPoint,
        builder =>
        {
            builder.Services.AddSingleton(engine);
            builder.Services.AddSingleton(state);
            builder.Services.AddHealthChecks().AddDataplane();
        },
        web =>
        {
            web.MapDataplaneMetrics();
            web.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = check => check.Tags.Contains("live") });
            web.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains("ready") });
        });
}
