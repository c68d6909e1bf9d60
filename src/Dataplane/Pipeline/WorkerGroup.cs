using System.Collections.Immutable;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Ports;
using Dataplane.Routing.Lpm;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <summary>The workers of an engine: made and started together, given new tables together, read as one.</summary>
/// <remarks>Its members but the readings are for the control side, one call at a time.</remarks>
internal sealed class WorkerGroup : IDisposable
{
    /// <summary>Tries to read all counters at one moment before readings of different moments are taken.</summary>
    private const int ReadingTries = 10_000;

    private readonly Worker[] _workers;
    private readonly Lock _requesting = new();
    private Thread[] _threads = [];
    private ForwardingTables? _tables;
    private ForwardingTables[] _views = [];
    private WorkerPlan[] _plans = [];
    private WorkerPlan[] _left = [];
    private volatile bool _failed;

    /// <summary>Makes the workers and the rings between them.</summary>
    /// <param name="spec">How many, and what they are to share.</param>
    /// <param name="hash">The hash of flows, the same for all.</param>
    /// <param name="maxMtu">Longest packet that is made.</param>
    /// <param name="maxReceived">Longest packet that is held or handed over: super-frames are longer than the MTU.</param>
    /// <param name="options">Clock and stages.</param>
    /// <param name="periods">Where each says that it has passed between two batches.</param>
    public WorkerGroup(WorkerSpec spec, FlowHash hash, int maxMtu, int maxReceived, DataplaneOptions options, GracePeriods periods)
    {
        int count = spec.Count;
        WorkerSpec share = spec with { FlowEntries = Part(spec.FlowEntries, count), IcmpErrorsPerSecond = Part(spec.IcmpErrorsPerSecond, count) };
        _workers = new Worker[count];
        for (int worker = 0; worker < count; worker++)
        {
            (StagePosition, IStage)[] stages = [.. options.Stages.Select(entry => (entry.Position, entry.Stage.ForWorker(worker)))];
            var context = new WorkerContext(share, hash, maxMtu, new UserStages(stages), maxReceived) { Share = new WorkerShare(worker, count) };
            _workers[worker] = new Worker(context, options.TimeProvider, spec.SpinMicroseconds, periods);
        }

        if (count > 1)
        {
            Link(maxReceived);
        }
    }

    /// <summary>How many there are.</summary>
    public int Count => _workers.Length;

    /// <summary>The tables in force; null before the first.</summary>
    public ForwardingTables? Tables => _tables;

    /// <summary>Whether each runs on a thread of its own.</summary>
    public bool HasThreads => _threads.Length > 0;

    /// <summary>True when all have passed a quiescent point with the tables published last.</summary>
    public bool HasAdopted => !_workers.Where((worker, index) => !worker.HasAdopted(_plans[index])).Any();

    /// <summary>A worker.</summary>
    public Worker this[int worker] => _workers[worker];

    /// <summary>Hands tables to all workers.</summary>
    public void Publish(ForwardingTables tables, PortSet ports)
    {
        if (tables.Tracked is not null)
        {
            Array.ForEach(_workers, worker => worker.Context.Flows.Track());
        }

        if (tables.Nat.HasMappings)
        {
            Array.ForEach(_workers, worker => worker.Context.Flows.MapPorts(worker.Context.Hash));
        }

        if (Count > 1)
        {
            bool hasFlows = !tables.Services.IsEmpty || !tables.Nat.IsEmpty || tables.Tracked is not null;
            tables = tables.Owners is null && hasFlows
                ? tables with { Owners = new FlowOwners(tables.Services, tables.Nat, tables.Departed, ownsAll: tables.Tracked is not null) }
                : tables;
            ForwardingTables[] before = _views;
            _views = [.. _workers.Select((worker, index) => WorkerView.Of(tables, ports, worker.Context, _tables, before.ElementAtOrDefault(index)))];
        }
        else
        {
            _views = [tables];
        }

        _left = _plans;
        _tables = tables;
        _plans = [.. _workers.Select((worker, index) => new WorkerPlan(_views[index], worker.WakeEvent))];
        for (int worker = 0; worker < Count; worker++)
        {
            _workers[worker].Publish(_plans[worker]);
        }
    }

    /// <summary>What the workers counted when they adopted the tables in force: all flows, and those of each counted slot.</summary>
    public (long Flows, Dictionary<int, long> BySlot) ReadCounted()
    {
        var bySlot = new Dictionary<int, long>();
        foreach (WorkerPlan plan in _plans)
        {
            for (int i = 0; i < plan.CountedFlows.Length; i++)
            {
                int slot = plan.Tables.CountedSlots[i];
                bySlot[slot] = bySlot.GetValueOrDefault(slot) + plan.CountedFlows[i];
            }
        }

        return (_plans.Sum(plan => plan.Flows), bySlot);
    }

    /// <summary>Frees what only the tables before the last were in need of, once all have left them.</summary>
    public void DisposeLeft()
    {
        Array.ForEach(_left, plan => plan.Dispose());
        _left = [];
    }

    /// <summary>Starts a thread for each worker.</summary>
    /// <param name="spec">The CPUs they run on.</param>
    /// <param name="failed">Told of the exception that ended a worker; the others are stopped then.</param>
    public void Start(WorkerSpec spec, Action<Exception> failed)
    {
        _threads = [.. _workers.Select((worker, index) => new Thread(() => Run(worker, spec.CpuOf(index), failed))
        {
            IsBackground = true,
            Name = Count == 1 ? "dataplane-worker" : $"dataplane-worker-{index}",
        })];
        Array.ForEach(_threads, thread => thread.Start());
    }

    /// <summary>One round of each worker on the caller's thread.</summary>
    /// <returns>Packets received, by ports and from other workers.</returns>
    public int RunOnce()
    {
        int received = 0;
        foreach (Worker worker in _workers)
        {
            received += worker.RunOnce(worker.NowNs);
        }

        return received;
    }

    /// <summary>Ends the threads and waits for them.</summary>
    public void Stop()
    {
        // Each worker looks at the flag at least once per sleep, which the signal ends at once.
        Array.ForEach(_workers, worker => worker.Stop());
        Array.ForEach(_threads, thread => thread.Join());
    }

    /// <summary>Lets go of what the workers sleep on, so that descriptors that are closed are closed indeed. Once none runs; before they do again, tables are published.</summary>
    public void LetGo() => Array.ForEach(_plans, plan => plan.Dispose());

    /// <summary>Lets the workers be started again after <see cref="Stop"/>.</summary>
    public void Rearm() => Array.ForEach(_workers, worker => worker.Rearm());

    /// <summary>Has a worker do something between two batches, or does it here when none runs.</summary>
    public void AtQuiescentPoint(int number, Action<WorkerContext> action)
    {
        Worker worker = _workers[number];
        lock (_requesting)
        {
            if (HasThreads && !_failed && _threads[number].IsAlive)
            {
                worker.Request(action);
                var spinner = default(SpinWait);
                while (!worker.IsRequestDone && _threads[number].IsAlive)
                {
                    spinner.SpinOnce();
                }

                if (worker.IsRequestDone)
                {
                    return;
                }
            }

            Array.ForEach(_threads, thread => thread.Join());
            worker.AdoptPublished();
            worker.Context.NowNs = worker.NowNs;
            action(worker.Context);
        }
    }

    /// <summary>What became of every packet, at one moment over all workers. Any thread.</summary>
    /// <remarks>A packet handed over is held by the one until the other has decided it. Each worker's own account is balanced at every moment, and so is
    /// the sum of readings of different moments, but then more might seem released than was held.</remarks>
    public Accounting ReadAccounting()
    {
        if (Count == 1)
        {
            return _workers[0].Context.Counters.Read();
        }

        var read = new Accounting[Count];
        long[] sequences = new long[Count];
        var spinner = default(SpinWait);
        for (int tries = 0; tries < ReadingTries; tries++)
        {
            for (int worker = 0; worker < Count; worker++)
            {
                sequences[worker] = _workers[worker].Context.Counters.Sequence;
            }

            for (int worker = 0; worker < Count; worker++)
            {
                read[worker] = _workers[worker].Context.Counters.Read();
            }

            if (!_workers.Where((worker, index) => worker.Context.Counters.Sequence != sequences[index]).Any())
            {
                break;
            }

            spinner.SpinOnce(sleep1Threshold: -1);
        }

        return Sum(read);
    }

    /// <summary>Says what is to be said last. Once none runs, before the ports are closed.</summary>
    public void SayFarewell() => Array.ForEach(_workers, worker => worker.SayFarewell());

    /// <summary>Drops what ports have accepted and not sent. Once none runs, before the ports are closed.</summary>
    public void DropUnsent() => Array.ForEach(_workers, worker => worker.DropUnsent());

    /// <summary>Drops what workers hold. Once none runs.</summary>
    public void DropHeld() => Array.ForEach(_workers, worker => worker.DropHeld());

    /// <summary>Drops what workers hold, and frees them. Once none runs.</summary>
    public void Dispose()
    {
        DropHeld();
        DisposeLeft();
        Array.ForEach(_plans, plan => plan.Dispose());
        Array.ForEach(_workers, worker => worker.Dispose());
    }

    private static int Part(int whole, int count) => (int)(((long)whole + count - 1) / count);

    private static Accounting Sum(Accounting[] parts)
    {
        long[] dropped = new long[parts[0].DroppedByReason.Length];
        foreach (Accounting part in parts)
        {
            for (int reason = 0; reason < dropped.Length; reason++)
            {
                dropped[reason] += part.DroppedByReason[reason];
            }
        }

        return new Accounting(parts.Sum(part => part.Received), parts.Sum(part => part.Originated), parts.Sum(part => part.Transmitted),
            parts.Sum(part => part.Held), ImmutableArray.Create(dropped));
    }

    /// <summary>Makes a ring from every worker to every other.</summary>
    private void Link(int maxReceived)
    {
        const int LinkBytes = 14 + (2 * 4);
        HandOverRing?[][] to = [.. _workers.Select(from => _workers
            .Select(worker => worker == from ? null : new HandOverRing(WorkerLinks.SlotsFor(maxReceived), LinkBytes + maxReceived, worker)).ToArray())];
        for (int worker = 0; worker < Count; worker++)
        {
            _workers[worker].Context.Links = new WorkerLinks(to[worker], [.. to.Select(rings => rings[worker]).OfType<HandOverRing>()]);
        }
    }

    /// <summary>The error frame around a worker's loop: whatever ends it is told, never swallowed.</summary>
    private void Run(Worker worker, int? cpu, Action<Exception> failed)
    {
        try
        {
            if (cpu is int pinned)
            {
                ThreadAffinity.Pin(pinned);
            }

            worker.Run();
        }
#pragma warning disable CA1031 // The exception is handed on.
        catch (Exception error)
#pragma warning restore CA1031
        {
            _failed = true;
            Array.ForEach(_workers, other => other.Stop());
            failed(error);
        }
    }
}
