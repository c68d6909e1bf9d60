using Dataplane.Mesh.Registration;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers an application with a mesh.</summary>
public static class DataplaneMeshServiceCollectionExtensions
{
    /// <summary>Registers the application as an endpoint of a service when it has started, keeps the lease renewed, and takes it out when it begins to stop.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Says where the registry is and what to register.</param>
    public static IServiceCollection AddDataplaneRegistration(this IServiceCollection services, Action<DataplaneRegistrationOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.Configure(configure);
        return services.AddHostedService<DataplaneRegistrationService>();
    }
}
