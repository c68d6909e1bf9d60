using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>Backends that come and go: what a change means for flows, before and after it; drains that end, health that changes.</summary>
public sealed partial class DataplaneEngine
{
    /// <summary>Events that are kept for readers.</summary>
    private const int MaxEvents = 256;

    private readonly Lock _eventsLock = new();
    private readonly Queue<BackendEvent> _events = new();
    private long _dueNs = long.MaxValue;
    private ITimer? _dueTimer;

    /// <summary>Raised when a backend has come, gone, or changed its state or weight. On the thread that made the change, while it holds the engine's
    /// update lock: a handler that updates the engine must not wait for that.</summary>
    public event EventHandler<BackendEvent>? BackendChanged;

    /// <summary>What happened to backends lately, oldest first: the last 256 changes. Any thread.</summary>
    public IReadOnlyList<BackendEvent> ReadBackendEvents()
    {
        lock (_eventsLock)
        {
            return [.. _events];
        }
    }

    /// <summary>Says what a configuration would do if it were applied now, to the services and to the flows known now. Changes nothing.</summary>
    /// <param name="spec">The configuration, whole.</param>
    /// <param name="cancellationToken">Ends waiting for an update in hand.</param>
    /// <returns>The receipt that <see cref="UpdateAsync(DataplaneSpec, CancellationToken)"/> would return, but for flows that begin and end meanwhile.
    /// Whether ports can be opened is not tried, and learnt routes are not looked at.</returns>
    /// <exception cref="ConfigurationException">Something is wrong with it; the exception holds every error.</exception>
    /// <exception cref="InvalidOperationException">The engine is not running.</exception>
    public async Task<ChangeReceipt> PreviewAsync(DataplaneSpec spec, CancellationToken cancellationToken = default)
    {
        ThrowIfInvalid(spec);
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfNotRunning();
            ForwardingTables tables = _workers!.Tables!;
            ServiceCompiler compiler = TableCompiler.Preview(spec, _slots.Copy(), tables, NowNs, out int[] counted);
            long flows = 0;
            var bySlot = new Dictionary<int, long>();
            for (int worker = 0; worker < _workers.Count; worker++)
            {
                int number = worker;
                await Task.Run(() => _workers.AtQuiescentPoint(number, context => flows += Count(context.Flows, counted, bySlot)), CancellationToken.None)
                    .ConfigureAwait(false);
            }

            bool IsOpen(Ports.PortSpec port) => Spec.Ports.Contains(port);
            string[] opened = [.. spec.Ports.Where(port => !IsOpen(port)).Select(port => port.Name)];
            string[] closed = [.. Spec.Ports.Where(port => !spec.Ports.Contains(port)).Select(port => port.Name)];
            return Receipt(tables.Version + 1, compiler.Changes, compiler.Shifts, opened, closed, flows, bySlot) with { IsPreview = true };
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Tells the engine that a backend is up or down: for health that is known by other means than checks. Checks, if there are any, go on and may say otherwise.</summary>
    /// <param name="service">Name of the service.</param>
    /// <param name="address">Address of the backend.</param>
    /// <param name="port">Port of the backend.</param>
    /// <param name="isUp">Whether it takes new flows.</param>
    /// <param name="reason">Why, in words, for logs and status.</param>
    /// <param name="cancellationToken">Ends waiting for an update in hand.</param>
    /// <returns>What it changed; null when nothing changed.</returns>
    /// <exception cref="ArgumentException">There is no such service or backend.</exception>
    /// <exception cref="InvalidOperationException">The engine is not running.</exception>
    public async Task<ChangeReceipt?> ReportHealthAsync(string service, IpAddress address, int port, bool isUp, string reason,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reason);
        await _updating.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfNotRunning();
            ServiceSpec? spec = Spec.Services.FirstOrDefault(candidate => candidate.Name == service);
            BackendSpec? backend = spec?.Backends.FirstOrDefault(candidate => candidate.Address == address && candidate.Port == port);
            if (backend is null)
            {
                throw new ArgumentException(spec is null ? $"There is no service \"{service}\"." : $"Service {service} has no backend {address} port {port}.",
                    spec is null ? nameof(service) : nameof(address));
            }

            return SetHealth(_slots.Find(ServiceCompiler.IdentityOf(spec!, backend))!, isUp, reason) ? await RecompileAsync().ConfigureAwait(false) : null;
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Services that the last change compiled; for tests.</summary>
    internal int ServicesCompiled { get; private set; }

    /// <summary>Worker time.</summary>
    private long NowNs => _workers![0].NowNs;

    /// <returns>Whether that is news.</returns>
    private bool SetHealth(BackendSlot slot, bool isUp, string reason)
    {
        if (slot.IsDown != isUp)
        {
            return false;
        }

        (slot.IsDown, slot.Reason) = (!isUp, reason);
        _slots.NoteNews(slot.Identity);
        slot.RisenNs = isUp ? NowNs : null;
        return true;
    }

    private static long Count(Flows.FlowTable flows, int[] slots, Dictionary<int, long> bySlot)
    {
        foreach (int slot in slots)
        {
            // A slot that only the copy has knows no flow.
            long active = slot < flows.CountersBySlot.Length ? flows.CountersBySlot[slot].Counts.Active : 0;
            bySlot[slot] = bySlot.GetValueOrDefault(slot) + active;
        }

        return flows.FlowCount;
    }

    /// <summary>Compiles the services again and puts them in force. Under the update lock.</summary>
    private async Task<ChangeReceipt> RecompileAsync()
    {
        CompiledTables compiled = TableCompiler.Recompile(Spec, _workers!.Tables!, _slots, NowNs);
        await PublishAsync(compiled.Tables).ConfigureAwait(false);
        return Conclude(compiled);
    }

    /// <summary>Makes the receipt of tables that are in force, tells of backends that changed, and sees to what changes by itself next. Under the update lock.</summary>
    private ChangeReceipt Conclude(CompiledTables compiled)
    {
        ServicesCompiled = compiled.ServicesCompiled;
        (long flows, Dictionary<int, long> bySlot) = _workers!.ReadCounted();
        ChangeReceipt receipt = Receipt(compiled.Tables.Version, compiled.Changes, compiled.Shifts, [], [], flows, bySlot);
        Arm(compiled.NextDueNs);
        foreach (BackendChange change in receipt.Backends)
        {
            Tell(new BackendEvent(_options.TimeProvider.GetUtcNow(), compiled.Tables.Version, change));
        }

        return receipt;
    }

    private static ChangeReceipt Receipt(int version, IReadOnlyList<ServiceChange> changes, IReadOnlyList<BackendShift> shifts, string[] opened, string[] closed,
        long flows, Dictionary<int, long> bySlot)
    {
        long moved = 0, ended = 0, kept = flows;
        Dictionary<int, FlowOutcome> outcomes = shifts.ToDictionary(shift => shift.Slot, shift => shift.Outcome);
        foreach ((int slot, long count) in bySlot)
        {
            // A slot is listed because something has changed for it, or because its flows are about to end since an earlier change.
            FlowOutcome outcome = outcomes.GetValueOrDefault(slot, FlowOutcome.Leaving);
            moved += outcome == FlowOutcome.Moved ? count : 0;
            ended += outcome == FlowOutcome.Ended ? count : 0;
            kept -= outcome == FlowOutcome.Kept ? 0 : count;
        }

        ServiceChange[] services = [.. changes.Select(change => change with { FlowsKept = change.KeptSlots.Sum(slot => bySlot.GetValueOrDefault(slot)) })];
        return new ChangeReceipt(version, services, opened, closed)
        {
            Flows = new FlowChange(kept, moved, ended, flows - kept - moved - ended),
            Backends = [.. shifts.Where(shift => shift.Change is not null).Select(shift => bySlot.GetValueOrDefault(shift.Slot) is var count
                ? shift.Change! with
                {
                    FlowsKept = shift.Outcome == FlowOutcome.Kept ? count : 0,
                    FlowsMoved = shift.Outcome == FlowOutcome.Moved ? count : 0,
                    FlowsEnded = shift.Outcome == FlowOutcome.Ended ? count : 0,
                }
                : shift.Change!)],
        };
    }

    private void Tell(BackendEvent happened)
    {
        lock (_eventsLock)
        {
            _events.Enqueue(happened);
            if (_events.Count > MaxEvents)
            {
                _events.Dequeue();
            }
        }

        BackendChanged?.Invoke(this, happened);
    }

    /// <summary>Sees to it that the services are compiled again when a drain ends or a slow start goes on.</summary>
    private void Arm(long dueNs)
    {
        Volatile.Write(ref _dueNs, dueNs);
        if (!_workers!.HasThreads)
        {
            return;
        }

        _dueTimer ??= _options.TimeProvider.CreateTimer(static engine => _ = ((DataplaneEngine)engine!).RefreshAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        TimeSpan wait = dueNs == long.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Clamp(((dueNs - NowNs) / 1_000_000) + 1, 1, 1 << 30));
        _dueTimer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Does what is due. Nobody waits for it.</summary>
    private async Task RefreshAsync()
    {
        await _updating.WaitAsync().ConfigureAwait(false);
        try
        {
            bool isNews = ApplyHealthNews();
            if (State == EngineState.Running && !_closed && (isNews || NowNs >= Volatile.Read(ref _dueNs)))
            {
                await RecompileAsync().ConfigureAwait(false);
            }
            else if (State == EngineState.Running && !_closed)
            {
                Arm(_dueNs);
            }
        }
#pragma warning disable CA1031 // A worker that died says so by itself, to whoever waits for the engine's completion.
        catch (Exception) when (_completion.Task.IsFaulted)
#pragma warning restore CA1031
        {
        }
        finally
        {
            _updating.Release();
        }
    }

    /// <summary>Does what is due, on the caller's thread, for an engine without workers' threads.</summary>
    private void RefreshIfDue()
    {
        if (_workers![0].NowNs >= Volatile.Read(ref _dueNs))
        {
            // Completes at once: there is nobody to wait for.
            RefreshAsync().GetAwaiter().GetResult();
        }
    }
}
