using Dataplane.Balancing;
using Dataplane.Hosting.Metrics;
using Dataplane.Hosting.Reloading;
using Dataplane.Telemetry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Dataplane.Hosting.Lifecycle;

/// <summary>Starts the engine with the host, reloads it, and stops it: when the host has started every port forwards, when it has stopped the worker has ended.</summary>
internal sealed class DataplaneHostedService : IHostedLifecycleService, IAsyncDisposable
{
    private readonly DataplaneEngine _engine;
    private readonly DataplaneRegistration _registration;
    private readonly ReloadState _state;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private Reloader? _reloader;

    public DataplaneHostedService(DataplaneEngine engine, DataplaneRegistration registration, ReloadState state, DataplaneMeter meter,
        IHostApplicationLifetime lifetime, TimeProvider time, ILogger<DataplaneEngine> logger)
    {
        // The meter publishes as long as it lives; asking for it here is what makes it live.
        ArgumentNullException.ThrowIfNull(meter);
        _engine = engine;
        _registration = registration;
        _state = state;
        _lifetime = lifetime;
        _time = time;
        _logger = logger;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _engine.BackendChanged += Report;
        await _engine.StartAsync(cancellationToken).ConfigureAwait(false);
        _state.Started(_time.GetUtcNow());
        _reloader = new Reloader(_engine, _registration.Load, Report);
        _reloader.Watch(_registration.Source);
        _ = WatchWorkerAsync();
        if (_logger.IsEnabled(LogLevel.Information))
        {
            string ports = string.Join(", ", _engine.Spec.Ports.Select(port => port.Name));
            Log.Started(_logger, _engine.Spec.Ports.Count, ports, _registration.Source.Name);
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await DisposeAsync().ConfigureAwait(false);
        await _engine.StopAsync(cancellationToken).ConfigureAwait(false);
        if (_logger.IsEnabled(LogLevel.Information))
        {
            string accounting = _engine.ReadAccounting().ToString();
            Log.Stopped(_logger, accounting);
        }

        if (_engine.Completion.IsFaulted)
        {
            // Ends the host's RunAsync with an exception, so that the process does not look as if it had ended well.
            throw new InvalidOperationException("The data plane's worker died; see the inner exception.", _engine.Completion.Exception.InnerException);
        }
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends watching the configuration; the engine belongs to the host's services.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_reloader is not null)
        {
            await _reloader.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task WatchWorkerAsync()
    {
        await _engine.Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_engine.Completion.IsFaulted)
        {
            Log.WorkerDied(_logger, _engine.Completion.Exception.InnerException!);
            _lifetime.StopApplication();
        }
    }

    private void Report(object? sender, BackendEvent happened)
    {
        bool isDown = happened.Change.After == BackendState.Down && happened.Change.Before != BackendState.Down;
        if (_logger.IsEnabled(isDown ? LogLevel.Warning : LogLevel.Information))
        {
            string change = happened.Change.ToString();
            if (isDown)
            {
                Log.BackendDown(_logger, happened.Version, change);
            }
            else
            {
                Log.BackendChanged(_logger, happened.Version, change);
            }
        }
    }

    private void Report(ReloadOutcome outcome)
    {
        _state.Count(outcome, _time.GetUtcNow());
        string source = _registration.Source.Name;
        if (outcome.Failure is { } failure)
        {
            Log.ConfigurationFailed(_logger, failure, source, _engine.Version);
        }
        else if (outcome.Errors.Count > 0)
        {
            if (_logger.IsEnabled(LogLevel.Error))
            {
                string errors = string.Join(Environment.NewLine, outcome.Errors);
                Log.ConfigurationRejected(_logger, source, _engine.Version, errors);
            }
        }
        else if (outcome.Receipt is { } receipt)
        {
            Log.ConfigurationApplied(_logger, source, receipt.Version, receipt.PortsOpened.Count, receipt.PortsClosed.Count);
        }
    }
}
