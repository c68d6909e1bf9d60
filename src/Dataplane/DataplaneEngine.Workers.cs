using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>What is read off each worker.</summary>
public sealed partial class DataplaneEngine
{
    /// <summary>In the order of <see cref="TimedStage"/>.</summary>
    private static readonly string[] s_stageNames =
        ["receive", "parse", "user_stages", "established", "hand_over", "ingress", "filter", "flow", "balance", "route", "neighbour", "rewrite", "transmit"];

    /// <summary>The workers: what each has done, and what its time went to. Empty before the start.</summary>
    public IReadOnlyList<WorkerStatus> ReadWorkers() => [.. Enumerable.Range(0, _workers?.Count ?? 0).Select(worker => Describe(_workers![worker], worker))];

    /// <summary>The longest time that a worker was away from its ports since this was last called: a round of forwarding, and whatever kept it from the next one,
    /// such as new tables, the runtime's garbage collection, or another program on its processor; sleep while nothing came is not counted.</summary>
    /// <returns>The longest of all workers, in the resolution of the time provider; zero for an engine that is driven by hand or has not been started.</returns>
    /// <remarks>Any thread, but one reader: each call begins anew. Called before and after an update, it says how long that kept packets waiting.</remarks>
    public TimeSpan TakeLongestPause()
    {
        long longest = 0;
        for (int worker = 0; worker < (_workers?.Count ?? 0); worker++)
        {
            longest = Math.Max(longest, _workers![worker].Load.TakeLongest());
        }

        return TimeSpan.FromTicks(longest / TimeSpan.NanosecondsPerTick);
    }

    /// <summary>Begins, or ends, to take the time of each stage; <see cref="ReadWorkers"/> has the sums. Costs a clock reading per stage and batch while on.</summary>
    /// <param name="isOn">Whether time is to be taken from now on.</param>
    /// <exception cref="InvalidOperationException">The engine has not been started.</exception>
    public void MeasureStages(bool isOn)
    {
        WorkerGroup workers = _workers ?? throw new InvalidOperationException("The engine has not been started.");
        for (int worker = 0; worker < workers.Count; worker++)
        {
            workers[worker].IsTimed = isOn;
        }
    }

    /// <summary>The neighbours known now, to any worker. Waits for the workers' next quiescent points.</summary>
    public IReadOnlyList<NeighbourStatus> ReadNeighbours()
    {
        var result = new Dictionary<(string Port, int Vlan, IpAddress Address), NeighbourStatus>();
        for (int worker = 0; worker < (_workers?.Count ?? 1); worker++)
        {
            AtQuiescentPoint(worker, context => AddNeighbours(context, result));
        }

        return [.. result.Values];
    }

    /// <summary>The flows known now, each with both its directions. A worker is asked for a few thousand entries at a time, and forwards in between:
    /// what begins or ends meanwhile may be missing.</summary>
    /// <param name="most">The largest number of directions to return.</param>
    /// <param name="where">Which directions to return, asked on the caller's thread; all when null.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="most"/> is negative.</exception>
    /// <exception cref="InvalidOperationException">The engine has not been started.</exception>
    public IReadOnlyList<FlowStatus> ReadFlows(int most = 10_000, Predicate<FlowStatus>? where = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(most);
        var result = new List<FlowStatus>();
        for (int worker = 0; worker < (_workers?.Count ?? 1); worker++)
        {
            AddFlows(worker, most, where, result);
        }

        return result;
    }

    private WorkerStatus Describe(Worker worker, int index)
    {
        WorkerContext context = worker.Context;
        WorkerLoad load = worker.Load;
        string[] ports = [.. _ports.Entries.Where(entry => _ports.WorkersOf(entry.Id).Contains(index)).Select(entry => entry.Spec.Name)];
        return new WorkerStatus(index, ports, context.Counters.Read(), context.Links?.HandedOver ?? 0, context.Links?.TakenOver ?? 0, context.Flows.Count)
        {
            NeighbourCopiesLost = context.Links?.CopiesLost ?? 0,
            BusyRounds = load.BusyRounds,
            IdleRounds = load.IdleRounds,
            BusyNs = load.BusyNs,
            IdleNs = load.IdleNs,
            Sleeps = load.Sleeps,
            Packets = load.Packets,
            BatchSizes = load.Batches.ToArray(),
            Stages = context.Times.Packets == 0 ? [] : [.. s_stageNames.Select((name, stage) =>
                new StageTime(name, context.Times.NsOf((TimedStage)stage), context.Times.Packets))],
        };
    }

    /// <summary>What the workers that have an entry know: the one that knows most of it is believed, and what waits is added up.</summary>
    private static void AddNeighbours(WorkerContext context, Dictionary<(string Port, int Vlan, IpAddress Address), NeighbourStatus> result)
    {
        for (int index = 0; index < context.Neighbours.Capacity; index++)
        {
            ref NeighbourEntry entry = ref context.Neighbours[index];
            if (entry.State == NeighbourState.Free)
            {
                continue;
            }

            ushort port = entry.Port;
            string name = context.Tables.Interfaces.FirstOrDefault(candidate => candidate.Port == port)?.PortName ?? "?";
            var status = new NeighbourStatus(name, entry.Vlan, entry.Address, new MacAddress(entry.Mac), entry.State, entry.HeldCount);
            if (result.TryGetValue((name, entry.Vlan, entry.Address), out NeighbourStatus? known))
            {
                status = (Certainty(known.State) >= Certainty(status.State) ? known : status) with { Waiting = known.Waiting + status.Waiting };
            }

            result[(name, entry.Vlan, entry.Address)] = status;
        }
    }

    private static int Certainty(NeighbourState state) => state switch
    {
        NeighbourState.Static => 4,
        NeighbourState.Reachable => 3,
        NeighbourState.Probe => 2,
        NeighbourState.Stale => 1,
        _ => 0,
    };

    private void AddFlows(int worker, int most, Predicate<FlowStatus>? where, List<FlowStatus> result)
    {
        const int Some = 512, Looks = 8192;
        var entries = new FlowEntry[Some];
        int cursor = 0, count = 0, capacity = 1;
        long nowNs = 0;
        while (cursor < capacity && result.Count < most)
        {
            AtQuiescentPoint(worker, context =>
            {
                (capacity, nowNs) = (context.Flows.Capacity, context.NowNs);
                count = context.Flows.Copy(ref cursor, entries, Looks);
            });
            for (int i = 0; i < count && result.Count < most; i++)
            {
                var flow = FlowStatus.Of(in entries[i], nowNs);
                if (where is null || where(flow))
                {
                    result.Add(flow);
                }
            }
        }
    }

    /// <summary>Has a worker do something between two batches, or does it here when there is no worker thread.</summary>
    private void AtQuiescentPoint(int worker, Action<WorkerContext> action) =>
        (_workers ?? throw new InvalidOperationException("The engine has not been started.")).AtQuiescentPoint(worker, action);
}
