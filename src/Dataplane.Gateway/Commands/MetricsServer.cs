using System.Net;
using Dataplane.Hosting.Reloading;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Dataplane.Gateway.Commands;

/// <summary>Answers Prometheus and health checks of a running engine.</summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    private readonly WebApplication _web;

    private MetricsServer(WebApplication web) => _web = web;

    /// <summary>Where it listens, such as <c>http://127.0.0.1:9100</c>.</summary>
    public string Address => _web.Urls.First();

    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static async Task<MetricsServer> StartAsync(IPEndPoint endPoint, DataplaneEngine engine, ReloadState state)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(endPoint));
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(engine);
        builder.Services.AddSingleton(state);
        builder.Services.AddHealthChecks().AddDataplane();
        WebApplication web = builder.Build();
        web.MapDataplaneMetrics();
        web.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = check => check.Tags.Contains("live") });
        web.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains("ready") });
        try
        {
            await web.StartAsync().ConfigureAwait(false);
            return new MetricsServer(web);
        }
        catch (Exception refused)
        {
            await web.DisposeAsync().ConfigureAwait(false);
            throw refused is IOException ? refused : new IOException($"--metrics {endPoint}: {refused.Message}", refused);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _web.StopAsync().ConfigureAwait(false);
        await _web.DisposeAsync().ConfigureAwait(false);
    }
}
