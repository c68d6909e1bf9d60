using Dataplane.Hosting.Configuration;
using Dataplane.Hosting.Reloading;
using Dataplane.Pipeline;
using Microsoft.Extensions.DependencyInjection;

namespace Dataplane.Hosting;

/// <summary>What was asked for between <c>AddDataplane</c> and the start of the host.</summary>
internal sealed class DataplaneRegistration
{
    private readonly List<Action<DataplaneBuilder>> _configure = [];
    private readonly List<(StagePosition Position, Type Stage)> _stages = [];

    /// <summary>Where the configuration comes from; one source, or nothing but code.</summary>
    public ISpecSource Source { get; private set; } = new NoSpecSource();

    public void LoadFrom(ISpecSource source)
    {
        if (Source is not NoSpecSource)
        {
            throw new InvalidOperationException(
                $"The engine's configuration is loaded from {Source.Name} already; it cannot come from {source.Name} as well. Merge them, or use Configure for what is code.");
        }

        Source = source;
    }

    public void Add(Action<DataplaneBuilder> configure) => _configure.Add(configure);

    public void Add(StagePosition position, Type stage) => _stages.Add((position, stage));

    /// <summary>Reads the configuration as it is now, with what code adds to it.</summary>
    public LoadResult Load() => Source.Load(spec => Configured(spec).ToSpec());

    /// <summary>Makes the engine of the host.</summary>
    /// <exception cref="Dataplane.Configuration.ConfigurationException">Something is wrong; the exception holds every error.</exception>
    public DataplaneEngine CreateEngine(IServiceProvider services)
    {
        DataplaneBuilder? builder = null;
        DataplaneSpec spec = Source.Load(read =>
        {
            builder = Configured(read);
            return builder.ToSpec();
        }).GetSpec();

        builder ??= new DataplaneBuilder(spec);
        foreach ((StagePosition position, Type stage) in _stages)
        {
            builder.Stage(position, (IStage)services.GetRequiredService(stage));
        }

        return builder.Build();
    }

    private DataplaneBuilder Configured(DataplaneSpec spec)
    {
        var builder = new DataplaneBuilder(spec);
        foreach (Action<DataplaneBuilder> configure in _configure)
        {
            configure(builder);
        }

        return builder;
    }
}
