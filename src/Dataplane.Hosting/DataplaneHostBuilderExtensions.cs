using System.Diagnostics.CodeAnalysis;
using Dataplane;
using Dataplane.Hosting;
using Dataplane.Hosting.Reloading;
using Dataplane.Pipeline;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Says where the hosted engine gets its configuration and its stages from.</summary>
public static class DataplaneHostBuilderExtensions
{
    /// <summary>Loads the configuration from a section of the host's, and again whenever the host's configuration changes.</summary>
    /// <param name="builder">Returned by <c>AddDataplane</c>.</param>
    /// <param name="section">Such as <c>configuration.GetSection("Dataplane")</c>; keys as in files, in any case.</param>
    /// <exception cref="InvalidOperationException">The configuration comes from another source already.</exception>
    public static IDataplaneHostBuilder LoadFromConfig(this IDataplaneHostBuilder builder, IConfigurationSection section)
    {
        ArgumentNullException.ThrowIfNull(section);
        Registration(builder).LoadFrom(new ConfigurationSpecSource(section));
        return builder;
    }

    /// <summary>Loads the configuration from a file (YAML or JSON), and again whenever the file changes.</summary>
    /// <param name="builder">Returned by <c>AddDataplane</c>.</param>
    /// <param name="path">Path of the file; relative to the working directory of the process.</param>
    /// <exception cref="InvalidOperationException">The configuration comes from another source already.</exception>
    public static IDataplaneHostBuilder LoadFromFile(this IDataplaneHostBuilder builder, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Registration(builder).LoadFrom(new FileSpecSource(path, TimeProvider.System));
        return builder;
    }

    /// <summary>Configures the engine in code, behind what was loaded; called at the start and again at every reload.</summary>
    /// <param name="builder">Returned by <c>AddDataplane</c>.</param>
    /// <param name="configure">Adds ports, services, stages... Stages and the clock are taken at the start only.</param>
    public static IDataplaneHostBuilder Configure(this IDataplaneHostBuilder builder, Action<DataplaneBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Registration(builder).Add(configure);
        return builder;
    }

    /// <summary>Adds a stage of the user's own, made by the host's services as a singleton.</summary>
    /// <typeparam name="T">The stage; its constructor's parameters are injected.</typeparam>
    /// <param name="builder">Returned by <c>AddDataplane</c>.</param>
    /// <param name="position">Where in the packet's way the stage stands; several at one position run in the order they were added.</param>
    public static IDataplaneHostBuilder AddStage<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IDataplaneHostBuilder builder, StagePosition position)
        where T : class, IStage
    {
        Registration(builder).Add(position, typeof(T));
        builder.Services.TryAddSingleton<T>();
        return builder;
    }

    private static DataplaneRegistration Registration(IDataplaneHostBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder is DataplaneHostBuilder own
            ? own.Registration
            : throw new ArgumentException("The builder is not the one that AddDataplane returned.", nameof(builder));
    }
}
