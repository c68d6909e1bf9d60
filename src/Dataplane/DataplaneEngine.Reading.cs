using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;

namespace Dataplane;

/// <summary>What can be read off a running engine. Any thread; counters are the worker's own, never locked.</summary>
public sealed partial class DataplaneEngine
{
    private readonly Lock _requesting = new();

    /// <summary>What became of every packet, read at one moment: always balanced.</summary>
    public Accounting ReadAccounting() => _worker?.Context.Counters.Read() ?? new WorkerCounters().Read();

    /// <summary>The ports, in the order of the configuration.</summary>
    public IReadOnlyList<PortStatus> ReadPorts() => [.. _ports.Entries.Select(entry =>
    {
        entry.Port.ReadStatistics(out PortStatistics statistics);
        return new PortStatus(entry.Spec.Name, entry.Spec.Kind, entry.Port.Link, statistics)
        {
            LinkReason = entry.Port.LinkReason,
            Description = entry.Port.Description,
            Events = entry.Port.ReadEvents(),
        };
    })];

    /// <summary>The filter rules in order, and the default policy last.</summary>
    public IReadOnlyList<RuleStatus> ReadRules() => _plan is null
        ? []
        : [.. _plan.Tables.Filter.Counters.Select(counter => new RuleStatus(counter.Name, counter.Packets, counter.Bytes))];

    /// <summary>The services and their backends in the order of the configuration.</summary>
    public IReadOnlyList<ServiceStatus> ReadServices() => _plan is null ? [] : [.. _plan.Tables.Services.Services.Select(Describe)];

    /// <summary>Figures of the engine as a whole.</summary>
    public EngineFigures ReadFigures()
    {
        if (_worker is null)
        {
            return new EngineFigures(0, 0, 0, 0, 0, 0, 0, 0);
        }

        WorkerContext context = _worker.Context;
        return new EngineFigures(Version, context.Flows.Count, context.Flows.Capacity, context.Flows.Expired, context.Flows.Evicted,
            context.Neighbours.Count, context.IcmpLimit.Refused, context.Originated.Suppressed);
    }

    /// <summary>The neighbours known now. Waits for the worker's next quiescent point.</summary>
    public IReadOnlyList<NeighbourStatus> ReadNeighbours()
    {
        var result = new List<NeighbourStatus>();
        AtQuiescentPoint(context =>
        {
            for (int index = 0; index < context.Neighbours.Capacity; index++)
            {
                ref NeighbourEntry entry = ref context.Neighbours[index];
                if (entry.State != NeighbourState.Free)
                {
                    byte port = entry.Port;
                    string name = context.Tables.Interfaces.FirstOrDefault(candidate => candidate.Port == port)?.PortName ?? "?";
                    result.Add(new NeighbourStatus(name, entry.Vlan, entry.Address, new MacAddress(entry.Mac), entry.State, entry.HeldCount));
                }
            }
        });
        return result;
    }

    /// <summary>The flows known now, each with both its directions. The worker is asked for a few thousand entries at a time, and forwards in between:
    /// what begins or ends meanwhile may be missing.</summary>
    /// <param name="most">The largest number of directions to return.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="most"/> is negative.</exception>
    /// <exception cref="InvalidOperationException">The engine has not been started.</exception>
    public IReadOnlyList<FlowStatus> ReadFlows(int most = 10_000)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(most);
        const int Some = 512, Looks = 8192;
        var result = new List<FlowStatus>();
        var entries = new FlowEntry[Some];
        int cursor = 0, count = 0, capacity = 1;
        long nowNs = 0;
        while (cursor < capacity && result.Count < most)
        {
            AtQuiescentPoint(context =>
            {
                (capacity, nowNs) = (context.Flows.Capacity, context.NowNs);
                count = context.Flows.Copy(ref cursor, entries, Looks);
            });
            for (int i = 0; i < count && result.Count < most; i++)
            {
                result.Add(FlowStatus.Of(in entries[i], nowNs));
            }
        }

        return result;
    }

    /// <summary>Explains what the engine would do with a packet now, by the same code that forwards; nothing is changed or sent.</summary>
    /// <param name="frame">The frame from the first MAC byte, without FCS; at most 65,535 bytes.</param>
    /// <param name="onPort">Name of the port it is to have come by.</param>
    /// <exception cref="ArgumentException">There is no such port.</exception>
    /// <exception cref="InvalidOperationException">The engine has not been started, or has stopped: its tables are gone.</exception>
    public Explanation Explain(ReadOnlySpan<byte> frame, string onPort)
    {
        int port = _ports.Find(onPort);
        string[] names = [.. _ports.Entries.Select(entry => entry.Spec.Name)];
        if (port < 0)
        {
            throw new ArgumentException($"There is no port \"{onPort}\"; the ports are {string.Join(", ", names)}.", nameof(onPort));
        }

        if (_closed)
        {
            throw new InvalidOperationException($"The engine is {State}; only a running one can explain a packet.");
        }

        var runner = new ExplainRunner(frame, names, (byte)port);
        AtQuiescentPoint(runner.Run);
        return runner.Result!;
    }

    /// <summary>Has the worker do something between two batches, or does it here when there is no worker thread.</summary>
    private void AtQuiescentPoint(Action<WorkerContext> action)
    {
        lock (_requesting)
        {
            Worker worker = _worker ?? throw new InvalidOperationException("The engine has not been started.");
            if (_thread is null || State != EngineState.Running)
            {
                worker.AdoptPublished();
                action(worker.Context);
                return;
            }

            worker.Request(action);
            var spinner = default(SpinWait);
            while (!worker.IsRequestDone && !_completion.Task.IsCompleted)
            {
                spinner.SpinOnce();
            }
        }
    }

    private static ServiceStatus Describe(ServiceRuntime service) => new(service.Spec.Name, service.Spec.Address, service.Spec.Port, service.Spec.Protocol,
        [.. service.All.Select(backend => new BackendStatus(backend.Address, backend.Port, backend.Weight,
            backend.Counter.Counts.Flows, backend.Counter.Counts.Packets, backend.Counter.Counts.Bytes))]);
}
