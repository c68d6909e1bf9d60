using Microsoft.Extensions.DependencyInjection;

namespace Dataplane.Hosting;

/// <summary>Hands what the user asks for on to the registration.</summary>
internal sealed class DataplaneHostBuilder(IServiceCollection services, DataplaneRegistration registration) : IDataplaneHostBuilder
{
    public IServiceCollection Services => services;

    public DataplaneRegistration Registration => registration;
}
