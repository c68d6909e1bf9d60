using System.Diagnostics.Metrics;
using System.Net;
using Dataplane.Gateway.Status;
using Dataplane.Hosting.Metrics;
using Dataplane.Mesh.Relay;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Dataplane.Gateway.Mesh;

/// <summary>Answers Prometheus and health checks of a running relay.</summary>
internal static class RelayMetricsServer
{
    /// <param name="endPoint">Where it listens.</param>
    /// <param name="relay">The relay.</param>
    /// <param name="isShared">Whether a successor may listen there before this process has stopped.</param>
    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static Task<HttpService> StartAsync(IPEndPoint endPoint, RelayServer relay, bool isShared) =>
        HttpService.StartMetricsAsync(endPoint, _ => { }, web => web.Run(context => AnswerAsync(context, relay)), isShared);

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
