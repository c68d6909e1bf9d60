using System.Diagnostics.CodeAnalysis;
using Dataplane.Hosting.Metrics;
using Microsoft.AspNetCore.Routing;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the engine's endpoints.</summary>
public static class DataplaneEndpointRouteBuilderExtensions
{
    /// <summary>Answers scrapes of Prometheus with the engine's metrics, as text 0.0.4 or OpenMetrics 1.0.0, whichever the request accepts.</summary>
    /// <param name="endpoints">The application; its services must have had <c>AddDataplane</c>.</param>
    /// <param name="pattern">Path of the endpoint.</param>
    /// <returns>The endpoint, for conventions such as <c>RequireHost</c> or <c>RequireAuthorization</c>; without one, whoever reaches it may read it.</returns>
    public static IEndpointConventionBuilder MapDataplaneMetrics(this IEndpointRouteBuilder endpoints, [StringSyntax("Route")] string pattern = "/metrics")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return endpoints.MapGet(pattern, MetricsEndpoint.AnswerAsync);
    }
}
