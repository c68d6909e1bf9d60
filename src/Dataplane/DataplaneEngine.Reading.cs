using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Flows;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Telemetry;
using Dataplane.Tracking;

namespace Dataplane;

/// <summary>What can be read off a running engine. Any thread; counters are the workers' own, never locked.</summary>
public sealed partial class DataplaneEngine
{
    /// <summary>What became of every packet, read at one moment: always balanced.</summary>
    public Accounting ReadAccounting() => _workers?.ReadAccounting() ?? new WorkerCounters().Read();

    /// <summary>The ports, in the order of the configuration.</summary>
    public IReadOnlyList<PortStatus> ReadPorts() => [.. _ports.Entries.Select(entry =>
    {
        entry.Port.ReadStatistics(out PortStatistics statistics);
        PortActivity[] activities = [.. PartsOf(entry.Port).Select(PortActivity.Of)];
        return new PortStatus(entry.Spec.Name, entry.Spec.Kind, entry.Port.Link, statistics)
        {
            LinkReason = entry.Port.LinkReason,
            Description = entry.Port.Description,
            Events = entry.Port.ReadEvents(),
            Queues = (entry.Port as IQueuedPort)?.ReadQueues() ?? [],
            Polls = activities.Sum(activity => activity.Polls),
            Batches = activities.Sum(activity => activity.Batches),
            Wakes = activities.Sum(activity => activity.Wakes),
        };
    })];

    /// <summary>What workers have of a port in their tables: itself, or a part each.</summary>
    private static IEnumerable<IPort> PartsOf(IPort port) => port is QueuedPort queued ? [port, .. queued.Parts] : [port];

    /// <summary>The filter rules in order, and the default policy last.</summary>
    public IReadOnlyList<RuleStatus> ReadRules() => _workers?.Tables is not { } tables
        ? []
        : [.. tables.Filter.Counters.Select(counter => new RuleStatus(counter.Name, counter.Packets, counter.Bytes))];

    /// <summary>The services and their backends in the order of the configuration.</summary>
    public IReadOnlyList<ServiceStatus> ReadServices() => _workers?.Tables is not { } tables ? [] : [.. tables.Services.Services.Select(Describe)];

    /// <summary>The addresses that sources are translated to, by rule in the order of the configuration.</summary>
    public IReadOnlyList<NatStatus> ReadNat() => _workers?.Tables is not { } tables
        ? []
        : [.. tables.Nat.Rules.SelectMany(rule => rule.V4.Concat(rule.V6).Select(address => Describe(rule, address))).Distinct()];

    /// <summary>What was followed because filter rules ask for states, and what was found invalid.</summary>
    public ConnectionsStatus ReadConnections()
    {
        BackendCounts counts = _workers?.Tables?.Tracked is { } tracked ? tracked.Counter.Total : default;
        var invalid = new List<InvalidCount>();
        for (StateReason reason = StateReason.BadFlags; (int)reason < StateReasons.Count; reason++)
        {
            long packets = 0;
            for (int worker = 0; worker < (_workers?.Count ?? 0); worker++)
            {
                packets += _workers![worker].Context.InvalidPackets[(int)reason];
            }

            invalid.Add(new InvalidCount(StateReasons.NameOf(reason), packets));
        }

        return new ConnectionsStatus(_workers?.Tables?.Tracked is not null, counts.Flows, counts.Packets, counts.Bytes, invalid);
    }

    /// <summary>The endpoints of all networks, in the order of the configuration.</summary>
    public IReadOnlyList<EndpointStatus> ReadEndpoints() => _workers?.Tables is not { } tables ? [] : [.. tables.Bridges.Stations.Select(station =>
    {
        Switching.StationCounters counters = station.Counters;
        return new EndpointStatus(station.Network.Spec.Name, station.Spec.Name, station.Spec.Port)
        {
            SentFrames = Volatile.Read(ref counters.SentFrames),
            SentBytes = Volatile.Read(ref counters.SentBytes),
            ReceivedFrames = Volatile.Read(ref counters.ReceivedFrames),
            ReceivedBytes = Volatile.Read(ref counters.ReceivedBytes),
            Spoofed = Volatile.Read(ref counters.Spoofed),
            Rogue = Volatile.Read(ref counters.Rogue),
            RouterAdvertisements = Volatile.Read(ref counters.Advertised),
            DhcpMessages = Volatile.Read(ref counters.DhcpMessages),
            SentLimited = Volatile.Read(ref counters.SentLimited),
            ReceivedLimited = Volatile.Read(ref counters.ReceivedLimited),
        };
    })];

    /// <summary>The addresses at which packets inside packets are taken out, in the order of the configuration. Any thread.</summary>
    public IReadOnlyList<DecapsulationStatus> ReadDecapsulations() => _workers?.Tables is not { } tables ? [] : [.. tables.Tunnels.All.Select(taken =>
        new DecapsulationStatus(taken.Spec.Address, taken.Counters.Sum(counter => Volatile.Read(ref counter.Counts.Packets)), taken.Counters.Sum(counter => Volatile.Read(ref counter.Counts.Bytes))))];

    /// <summary>Figures of the engine as a whole.</summary>
    public EngineFigures ReadFigures()
    {
        var figures = new EngineFigures(Version, 0, 0, 0, 0, 0, 0, 0, false, 0, 0, 0);
        for (int worker = 0; worker < _workers?.Count; worker++)
        {
            WorkerContext context = _workers[worker].Context;
            figures = new EngineFigures(Version, figures.FlowEntries + context.Flows.Count, figures.FlowCapacity + context.Flows.Capacity,
                figures.FlowsExpired + context.Flows.Expired, figures.FlowsEvicted + context.Flows.Evicted,
                Math.Max(figures.Neighbours, context.Neighbours.Count), figures.IcmpErrorsSuppressed + context.IcmpLimit.Refused,
                figures.OriginatedSuppressed + context.Originated.Suppressed, figures.IsStateless || context.Stateless.IsOn(_workers[worker].NowNs),
                figures.StatelessSwitches + context.Stateless.Switches, figures.StatelessPackets + context.Stateless.Packets,
                figures.FlowTableBytes + context.Flows.MemoryBytes);
        }

        return figures;
    }

    /// <summary>Explains what the engine would do with a packet now, by the same code that forwards; nothing is changed or sent.</summary>
    /// <param name="frame">The frame from the first MAC byte, without FCS; at most 65,535 bytes.</param>
    /// <param name="onPort">Name of the port it is to have come by.</param>
    /// <exception cref="ArgumentException">There is no such port.</exception>
    /// <exception cref="InvalidOperationException">The engine has not been started, or has stopped: its tables are gone.</exception>
    public Explanation Explain(ReadOnlySpan<byte> frame, string onPort)
    {
        int port = _ports.Find(onPort);
        if (port < 0)
        {
            throw new ArgumentException($"There is no port \"{onPort}\"; the ports are {string.Join(", ", _ports.Entries.Select(entry => entry.Spec.Name))}.", nameof(onPort));
        }

        if (_closed)
        {
            throw new InvalidOperationException($"The engine is {State}; only a running one can explain a packet.");
        }

        var runner = new ExplainRunner(frame, _ports.NamesById, (ushort)port);
        AtQuiescentPoint(_ports.WorkerOf(port), runner.FindOwner);
        AtQuiescentPoint(runner.Owner, runner.Run);
        return runner.Result!;
    }

    private static NatStatus Describe(NatRule rule, BackendRuntime address)
    {
        BackendCounts counts = address.Counter.Total;
        return new NatStatus(rule.Spec.Inside, rule.Spec.Outside, rule.Spec.From, address.Address, counts.Flows, counts.Packets, counts.Bytes)
        {
            Mapping = rule.Spec.Mapping,
            Filtering = rule.Spec.Filtering,
            Mappings = counts.Mappings,
        };
    }

    private static ServiceStatus Describe(ServiceRuntime service) =>
        new(service.Spec.Name, service.Spec.Address, service.Spec.Port, service.Spec.Protocol, [.. service.All.Select(Describe)])
        {
            IsPanicking = service.IsPanicking,
            PrefixLength = service.Spec.PrefixLength,
            LastPort = service.Spec.LastPort,
            ConnectionIds = service.IdCounter?.Read(),
        };

    private static BackendStatus Describe(BackendRuntime backend)
    {
        BackendCounts counts = backend.Counter.Total;
        return new BackendStatus(backend.Address, backend.Port, backend.Weight, counts.Flows, counts.Packets, counts.Bytes)
        {
            State = backend.State,
            Reason = backend.State == BackendState.Down ? backend.Reason : "",
            ActiveFlows = counts.Active,
            Established = counts.Established,
            Refused = counts.Refused,
            Unanswered = counts.Unanswered,
            Diverted = counts.Diverted,
        };
    }
}
