using Dataplane.Hosting.Reloading;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Net.Http.Headers;

namespace Dataplane.Hosting.Metrics;

/// <summary>Answers scrapes.</summary>
internal static class MetricsEndpoint
{
    private const string OpenMetricsType = "application/openmetrics-text";

    public static async Task AnswerAsync(HttpContext context)
    {
        MetricsFormat format = Negotiate(context.Request.GetTypedHeaders());
        context.Response.ContentType = PrometheusTextWriter.ContentTypeOf(format);
        context.Response.Headers.CacheControl = "no-store";
        IServiceProvider services = context.RequestServices;
        MetricsText.Write(context.Response.BodyWriter, format, services.GetRequiredService<DataplaneEngine>(), services.GetRequiredService<ReloadState>(),
            services.GetServices<IMoreMetrics>());
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>OpenMetrics for those who name it and want it at least as much as plain text; plain text for everybody else, curl and browsers among them.</summary>
    private static MetricsFormat Negotiate(RequestHeaders headers)
    {
        double openMetrics = 0, plain = 0;
        foreach (MediaTypeHeaderValue accepted in headers.Accept)
        {
            double quality = accepted.Quality ?? 1;
            if (accepted.MediaType.Equals(OpenMetricsType, StringComparison.OrdinalIgnoreCase))
            {
                openMetrics = Math.Max(openMetrics, quality);
            }
            else if (accepted.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase) || accepted.MediaType.Equals("text/*", StringComparison.OrdinalIgnoreCase))
            {
                plain = Math.Max(plain, quality);
            }
        }

        return openMetrics > 0 && openMetrics >= plain ? MetricsFormat.OpenMetrics : MetricsFormat.Prometheus;
    }
}
