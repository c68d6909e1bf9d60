using Microsoft.Extensions.DependencyInjection;

namespace Dataplane.Hosting;

/// <summary>Says where the hosted engine gets its configuration and its stages from; returned by <c>AddDataplane</c>. Used by one thread at a time.</summary>
/// <remarks>Its methods are extension methods: see <see cref="DataplaneHostBuilderExtensions"/>.</remarks>
public interface IDataplaneHostBuilder
{
    /// <summary>The services of the host.</summary>
    IServiceCollection Services { get; }
}
