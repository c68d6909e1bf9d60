using Dataplane;
using Dataplane.Hosting;
using Dataplane.Hosting.Lifecycle;
using Dataplane.Hosting.Metrics;
using Dataplane.Hosting.Reloading;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the engine with a .NET host.</summary>
public static class DataplaneServiceCollectionExtensions
{
    /// <summary>Adds one <see cref="DataplaneEngine"/> that starts and stops with the host, can be injected, reloads its configuration and publishes the meter <c>Dataplane</c>.</summary>
    /// <returns>A builder that says where the configuration comes from. Calling this again returns a builder of the same engine.</returns>
    /// <remarks>
    /// The host does not start when the configuration has errors: the exception holds all of them. After the start a configuration with errors
    /// is logged and the last good one stays in force. When the engine's worker dies, the host stops and ends with an exception.
    /// </remarks>
    public static IDataplaneHostBuilder AddDataplane(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        DataplaneRegistration? registration = services.Select(service => service.ImplementationInstance).OfType<DataplaneRegistration>().FirstOrDefault();
        if (registration is null)
        {
            registration = new DataplaneRegistration();
            services.AddSingleton(registration);
            services.AddMetrics();
            services.TryAddSingleton(TimeProvider.System);
            services.TryAddSingleton(static provider => provider.GetRequiredService<DataplaneRegistration>().CreateEngine(provider));
            services.TryAddSingleton<ReloadState>();
            services.TryAddSingleton<DataplaneMeter>();
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, DataplaneHostedService>());
        }

        return new DataplaneHostBuilder(services, registration);
    }
}
