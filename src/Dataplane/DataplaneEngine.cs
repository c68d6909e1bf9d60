using System.Security.Cryptography;
using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>A data plane: ports, tables, and the workers that forward between them.</summary>
/// <remarks>
/// Life: made, started, updated any number of times, stopped. All members may be called by any thread; updates are carried out one after
/// the other. Each worker is a thread of its own and never waits for a caller.
/// </remarks>
public sealed partial class DataplaneEngine : IAsyncDisposable
{
    /// <summary>Longest packet that held and originated packets make room for when no port says more.</summary>
    private const int DefaultMtu = 1500;

    private readonly DataplaneOptions _options;
    private readonly SemaphoreSlim _updating = new(1, 1);
    private readonly BackendSlots _slots = new();
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private PortSet _ports = PortSet.Empty;
    private WorkerGroup? _workers;
    private ulong? _seed;
    private bool _closed;

    /// <summary>Checks the specification; opens nothing yet.</summary>
    /// <param name="spec">The configuration.</param>
    /// <param name="options">Clock and stages; null for the defaults.</param>
    /// <exception cref="ConfigurationException">Something is wrong; the exception holds every error.</exception>
    public DataplaneEngine(DataplaneSpec spec, DataplaneOptions? options = null)
    {
        ThrowIfInvalid(spec);
        Spec = spec;
        _options = options ?? new DataplaneOptions();
    }

    /// <summary>The specification in force.</summary>
    public DataplaneSpec Spec { get; private set; }

    /// <summary>Where the engine is in its life.</summary>
    public EngineState State { get; private set; }

    /// <summary>Version of the tables in force; counts up with every update. 0 before the start.</summary>
    public int Version => _workers?.Tables?.Version ?? 0;

    /// <summary>Completes when the engine has stopped; faulted when a worker ended by an exception.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Opens the ports and starts the workers; when the task completes, every port forwards.</summary>
    /// <exception cref="IOException">A port could not be opened; those opened before are closed again.</exception>
    /// <exception cref="InvalidOperationException">The engine has been started before.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Open();
            Begin();
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Opens the ports without worker threads: the caller forwards by <see cref="RunOnce"/>. For tests, replay and embedding in a loop of one's own.</summary>
    /// <exception cref="IOException">A port could not be opened; those opened before are closed again.</exception>
    /// <exception cref="InvalidOperationException">The engine has been started before.</exception>
    public void StartManual() => Open();

    /// <summary>Receives, forwards and sends once over all ports, on the calling thread: one worker after the other, where there are several. Does not
    /// allocate.</summary>
    /// <returns>Packets received, those from other workers included; 0 when there is nothing left to do.</returns>
    /// <exception cref="InvalidOperationException">The engine was not started by <see cref="StartManual"/>.</exception>
    public int RunOnce()
    {
        if (_workers is null || _workers.HasThreads)
        {
            throw new InvalidOperationException("RunOnce needs an engine started by StartManual.");
        }

        RefreshIfDue();
        return _workers.RunOnce();
    }

    /// <summary>The workers of an engine that has been started; for tests, which drive them one by one.</summary>
    internal WorkerGroup Workers => _workers!;

    /// <summary>Has an observer see every batch; for an engine of one worker, started by <see cref="StartManual"/>.</summary>
    internal void Observe(IBatchObserver observer) => _workers![0].Observer = observer;

    /// <summary>Stops the workers, closes the ports. When the task completes, the threads have ended and the accounting is final.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_closed || State is EngineState.Created or EngineState.Stopped)
            {
                State = State == EngineState.Failed ? EngineState.Failed : EngineState.Stopped;
                _completion.TrySetResult();
                return;
            }

            if (_health is { } health)
            {
                await health.DisposeAsync().ConfigureAwait(false);
            }

            await StopOffloadAsync().ConfigureAwait(false);
            await Task.Run(_workers!.Stop, CancellationToken.None).ConfigureAwait(false);
            if (_successor is null && State != EngineState.Failed)
            {
                // Where another process goes on, nothing ends.
                _workers.SayFarewell();
            }

            if (_forwarder is not null)
            {
                await _forwarder.DisposeAsync().ConfigureAwait(false);
            }

            Close();
            State = State == EngineState.Failed ? EngineState.Failed : EngineState.Stopped;
            _completion.TrySetResult();
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Stops if need be, and frees everything.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        _successor?.Dispose();
    }

    private static void ThrowIfInvalid(DataplaneSpec spec, DataplaneSpec? valid = null)
    {
        IReadOnlyList<ConfigurationError> errors = SpecValidator.Validate(spec, valid);
        if (errors.Count > 0)
        {
            throw new ConfigurationException(errors);
        }
    }

    private void Open()
    {
        if (State != EngineState.Created)
        {
            throw new InvalidOperationException($"The engine is {State}; it can be started once.");
        }

        _ports = OpenPorts(Spec, PortSet.Empty, out List<IPort> opened);
        try
        {
            int maxMtu = Math.Max(DefaultMtu, _ports.Entries.Select(entry => entry.Port.Mtu).DefaultIfEmpty(0).Max());
            int maxReceived = _ports.Entries.Any(entry => entry.Port.Offloads != FrameOffloads.None) ? ushort.MaxValue : maxMtu;
            _seed ??= Spec.Workers.Seed ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));
            _workers = new WorkerGroup(Spec.Workers, new FlowHash(_seed.Value), maxMtu, maxReceived, _options, _periods);
            SetWakers(_ports, opened);
            CompiledTables compiled = TableCompiler.Compile(Spec, _ports, _slots, null, [], _periods, NowNs);
            _workers.Publish(compiled.Tables, _ports);
            Volatile.Write(ref _dueNs, compiled.NextDueNs);
            _closed = false;
            State = EngineState.Running;
            StartForwarder();
        }
        catch
        {
            Close();
            throw;
        }
    }

    private void Begin()
    {
        StartWorkers();
        StartOffload();
        Arm(_dueNs);
        FollowHealth();
    }

    private void StartWorkers() => _workers!.Start(Spec.Workers, error =>
    {
        State = EngineState.Failed;
        _completion.TrySetException(error);
    });

    private void Close()
    {
        _closed = true;
        _dueTimer?.Dispose();
        _workers?.DropUnsent();
        _workers?.DropHeld();
        EndCaptures();
        foreach ((int _, PortSpec _, IPort port) in _ports.Entries)
        {
            port.Dispose();
        }

        _flowMap?.Dispose();
        _workers?.Dispose();
        _workers?.Tables?.Routes.Table.Dispose();
    }
}
