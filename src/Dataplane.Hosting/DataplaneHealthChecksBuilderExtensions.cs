using Dataplane;
using Dataplane.Hosting.Health;
using Dataplane.Hosting.Reloading;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers health checks of the engine.</summary>
public static class DataplaneHealthChecksBuilderExtensions
{
    /// <summary>Adds two checks: <c>NAME-live</c> (tag <c>live</c>) fails when the worker has died; <c>NAME-ready</c> (tag <c>ready</c>) fails unless the engine
    /// forwards, and is degraded while a port has no link or the newest configuration was rejected. Both tell state, version, ports and counters in their data.</summary>
    /// <param name="builder">Returned by <c>AddHealthChecks</c>; the services must have had <c>AddDataplane</c>.</param>
    /// <param name="name">What the names of the checks begin with.</param>
    public static IHealthChecksBuilder AddDataplane(this IHealthChecksBuilder builder, string name = "dataplane")
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        return builder.Add(Registration($"{name}-live", "live", isLiveness: true)).Add(Registration($"{name}-ready", "ready", isLiveness: false));
    }

    private static HealthCheckRegistration Registration(string name, string tag, bool isLiveness) => new(
        name,
        services => new DataplaneHealthCheck(services.GetRequiredService<DataplaneEngine>(), services.GetRequiredService<ReloadState>(), isLiveness),
        failureStatus: null,
        tags: [tag]);
}
