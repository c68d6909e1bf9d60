using System.Security.Cryptography;
using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>A data plane: ports, tables, and the worker that forwards between them.</summary>
/// <remarks>
/// Life: made, started, updated any number of times, stopped. All members may be called by any thread; updates are carried out one after
/// the other. The worker is a thread of its own and never waits for a caller.
/// </remarks>
public sealed partial class DataplaneEngine : IAsyncDisposable
{
    /// <summary>Longest packet that held and originated packets make room for when no port says more.</summary>
    private const int DefaultMtu = 1500;

    private readonly DataplaneOptions _options;
    private readonly SemaphoreSlim _updating = new(1, 1);
    private readonly BackendSlots _slots = new();
    private readonly PortOpener _opener = new();
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private PortSet _ports = PortSet.Empty;
    private Worker? _worker;
    private WorkerPlan? _plan;
    private Thread? _thread;
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
    public int Version => _plan?.Tables.Version ?? 0;

    /// <summary>Completes when the engine has stopped; faulted when its worker ended by an exception.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Opens the ports and starts the worker; when the task completes, every port forwards.</summary>
    /// <exception cref="IOException">A port could not be opened; those opened before are closed again.</exception>
    /// <exception cref="InvalidOperationException">The engine has been started before.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Open();
            _thread = new Thread(RunWorker) { IsBackground = true, Name = "dataplane-worker" };
            _thread.Start();
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Opens the ports without a worker thread: the caller forwards by <see cref="RunOnce"/>. For tests, replay and embedding in a loop of one's own.</summary>
    /// <exception cref="IOException">A port could not be opened; those opened before are closed again.</exception>
    /// <exception cref="InvalidOperationException">The engine has been started before.</exception>
    public void StartManual() => Open();

    /// <summary>Receives, forwards and sends once over all ports, on the calling thread. Does not allocate.</summary>
    /// <returns>Packets received.</returns>
    /// <exception cref="InvalidOperationException">The engine was not started by <see cref="StartManual"/>.</exception>
    public int RunOnce()
    {
        if (_worker is null || _thread is not null)
        {
            throw new InvalidOperationException("RunOnce needs an engine started by StartManual.");
        }

        return _worker.RunOnce(_worker.NowNs);
    }

    /// <summary>Has an observer see every batch; for an engine started by <see cref="StartManual"/>.</summary>
    internal void Observe(IBatchObserver observer) => _worker!.Observer = observer;

    /// <summary>Stops the worker, closes the ports. When the task completes, the thread has ended and the accounting is final.</summary>
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

            _worker!.Stop();
            if (_thread is not null)
            {
                // The worker looks at the flag at least once per sleep, which the signal ends at once.
                await Task.Run(_thread.Join, CancellationToken.None).ConfigureAwait(false);
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
    public async ValueTask DisposeAsync() => await StopAsync().ConfigureAwait(false);

    private static void ThrowIfInvalid(DataplaneSpec spec)
    {
        IReadOnlyList<ConfigurationError> errors = SpecValidator.Validate(spec);
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

        _ports = OpenPorts(Spec, PortSet.Empty, out _);
        try
        {
            int maxMtu = Math.Max(DefaultMtu, _ports.Entries.Select(entry => entry.Port.Mtu).DefaultIfEmpty(0).Max());
            int maxReceived = _ports.Entries.Any(entry => entry.Port.Offloads != FrameOffloads.None) ? ushort.MaxValue : maxMtu;
            ulong seed = Spec.Workers.Seed ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));
            var context = new WorkerContext(Spec.Workers, new FlowHash(seed), maxMtu, new UserStages(_options.Stages), maxReceived);
            _worker = new Worker(context, _options.TimeProvider, Spec.Workers.SpinMicroseconds, _periods);
            foreach ((int _, PortSpec _, IPort port) in _ports.Entries)
            {
                port.SetWaker(_worker);
            }

            _plan = new WorkerPlan(TableCompiler.Compile(Spec, _ports, _slots, null, [], _periods).Tables, _worker.WakeEvent);
            _worker.Publish(_plan);
            _closed = false;
            State = EngineState.Running;
        }
        catch
        {
            Close();
            throw;
        }
    }

    private void Close()
    {
        _closed = true;
        _worker?.DropHeld();
        foreach ((int _, PortSpec _, IPort port) in _ports.Entries)
        {
            port.Dispose();
        }

        _plan?.Dispose();
        _plan?.Tables.Routes.Table.Dispose();
        _worker?.Dispose();
    }

    /// <summary>The error frame around the worker's loop: whatever ends it is told, never swallowed.</summary>
    private void RunWorker()
    {
        try
        {
            if (Spec.Workers.Cpu is int cpu)
            {
                ThreadAffinity.Pin(cpu);
            }

            _worker!.Run();
        }
#pragma warning disable CA1031 // The exception is handed on by Completion.
        catch (Exception error)
#pragma warning restore CA1031
        {
            State = EngineState.Failed;
            _completion.TrySetException(error);
        }
    }

    /// <summary>Opens the ports of a specification that are not open yet, under the identifiers they keep.</summary>
    private PortSet OpenPorts(DataplaneSpec spec, PortSet before, out List<IPort> opened)
    {
        opened = [];
        var used = before.Entries.Select(entry => entry.Id).ToHashSet();
        var entries = new List<(int, PortSpec, IPort)>();
        bool IsOpen(PortSpec wanted) => before.Find(wanted.Name) is >= 0 and int known && before.Entries.First(entry => entry.Id == known).Spec == wanted;
        _opener.Expect(spec.Ports.Where(wanted => !IsOpen(wanted)));
        try
        {
            foreach (PortSpec wanted in spec.Ports)
            {
                if (IsOpen(wanted))
                {
                    int known = before.Find(wanted.Name);
                    entries.Add((known, wanted, before.ById[known]!));
                    continue;
                }

                int id = Enumerable.Range(0, PortId.MaxPorts).First(free => !used.Contains(free));
                IPort port = _opener.Open(wanted);
                opened.Add(port);
                used.Add(id);
                entries.Add((id, wanted, port));
            }

            return new PortSet(entries);
        }
        catch
        {
            opened.ForEach(port => port.Dispose());
            throw;
        }
    }
}
