using System.Diagnostics.Metrics;
using System.Net;
using Dataplane.Hosting.Metrics;
using Dataplane.Mesh.Relay;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Dataplane.Gateway.Mesh;

/// <summary>Answers Prometheus and health checks of a running relay.</summary>
internal sealed class RelayMetricsServer : IAsyncDisposable
{
    private readonly WebApplication _web;

    private RelayMetricsServer(WebApplication web) => _web = web;

    /// <summary>Where it listens, such as <c>http://127.0.0.1:9101</c>.</summary>
    public string Address => _web.Urls.First();

    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static async Task<RelayMetricsServer> StartAsync(IPEndPoint endPoint, RelayServer relay)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(endPoint));
        builder.Logging.SetMinimumLevel(LogLevel.None);
        WebApplication web = builder.Build();
        web.Run(context => AnswerAsync(context, relay));
        try
        {
            await web.StartAsync().ConfigureAwait(false);
            return new RelayMetricsServer(web);
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

    private static async Task AnswerAsync(HttpContext context, RelayServer relay)
    {
        switch (context.Request.Path.Value)
        {
            case "/metrics":
                context.Response.ContentType = PrometheusTextWriter.ContentTypeOf(MetricsFormat.Prometheus);
                Write(new PrometheusTextWriter(context.Response.BodyWriter), relay.ReadStatus());
                await context.Response.BodyWriter.FlushAsync(context.RequestAborted).ConfigureAwait(false);
                break;
            case "/health/live":
                await context.Response.WriteAsync("Healthy").ConfigureAwait(false);
                break;
            case "/health/ready":
                RelayStatus status = relay.ReadStatus();
                bool isReady = status.State == RelayState.Running && status.Certificates.All(one => one.NotAfter > TimeProvider.System.GetUtcNow());
                context.Response.StatusCode = isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
                await context.Response.WriteAsync(isReady ? "Healthy" : "Unhealthy").ConfigureAwait(false);
                break;
            default:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                break;
        }
    }

    private static void Write(PrometheusTextWriter writer, RelayStatus status)
    {
        foreach (RelayMetric metric in RelayMetric.All)
        {
            writer.BeginFamily(metric.Name, metric.IsCounter, metric.Unit, metric.Description);
            foreach (Measurement<long> measurement in metric.Read(status))
                writer.Sample(measurement.Value, measurement.Tags);
        }

        writer.End();
    }
}
