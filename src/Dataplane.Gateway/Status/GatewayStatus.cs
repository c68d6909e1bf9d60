using System.Text.Json;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Status;

/// <summary>All counters of an engine at one moment, as <c>run --status</c> prints them.</summary>
internal sealed record GatewayStatus(
    string State,
    int Version,
    long Received,
    long Originated,
    long Transmitted,
    IReadOnlyDictionary<string, long> Dropped,
    long Held,
    int Flows,
    IReadOnlyList<GatewayStatus.Port> Ports,
    IReadOnlyList<GatewayStatus.Rule> Rules,
    IReadOnlyList<GatewayStatus.Service> Services,
    IReadOnlyList<GatewayStatus.Neighbour> Neighbours,
    IReadOnlyList<GatewayStatus.Worker> Workers,
    IReadOnlyList<EndpointStatus> Endpoints)
{
    /// <summary>Addresses that sources are translated to.</summary>
    public IReadOnlyList<GatewayStatus.Translation> Nat { get; init; } = [];

    /// <summary>Learning bridges.</summary>
    public IReadOnlyList<BridgeStatus> Bridges { get; init; } = [];

    /// <summary>Connections followed because rules ask for states; null where none does.</summary>
    public Followed? Connections { get; init; }

    public static GatewayStatus Read(DataplaneEngine engine)
    {
        Accounting accounting = engine.ReadAccounting();
        var dropped = new Dictionary<string, long>();
        for (int reason = 1; reason < accounting.DroppedByReason.Length; reason++)
        {
            if (accounting.DroppedByReason[reason] != 0)
            {
                dropped[((DropReason)reason).ToName()] = accounting.DroppedByReason[reason];
            }
        }

        return new GatewayStatus(engine.State.ToString().ToLowerInvariant(), engine.Version, accounting.Received, accounting.Originated,
            accounting.Transmitted, dropped, accounting.Held, engine.ReadFigures().FlowEntries / 2,
            [.. engine.ReadPorts().Select(Port.From)],
            [.. engine.ReadRules().Select(rule => new Rule(rule.Name, rule.Packets, rule.Bytes))],
            [.. engine.ReadServices().Select(Service.From)],
            [.. engine.ReadNeighbours().Select(Neighbour.From)],
            [.. engine.ReadWorkers().Select(Worker.From)], engine.ReadEndpoints())
        {
            Nat = [.. engine.ReadNat().Select(Translation.From)],
            Bridges = engine.ReadBridges(),
            Connections = Followed.From(engine.ReadConnections()),
        };
    }

    internal sealed record Port(string Name, string Link, long ReceivedPackets, long ReceivedBytes, long TransmittedPackets, long TransmittedBytes,
        long KernelDrops, long TransmitRefused, long TransmitLost, long Errors, long ReceivedSuperFrames, long TransmittedSuperFrames, string Reason,
        long Polls, long Batches, long Wakes, string Description, IReadOnlyDictionary<string, long> Events)
    {
        public static Port From(PortStatus port) => new(port.Name, port.Link.ToString().ToLowerInvariant(), port.Statistics.ReceivedPackets,
            port.Statistics.ReceivedBytes, port.Statistics.TransmittedPackets, port.Statistics.TransmittedBytes, port.Statistics.KernelDrops,
            port.Statistics.TransmitRefused, port.Statistics.TransmitLost, port.Statistics.Errors, port.Statistics.ReceivedSuperFrames,
            port.Statistics.TransmittedSuperFrames, port.LinkReason, port.Polls, port.Batches, port.Wakes, port.Description,
            port.Events.ToDictionary(happened => happened.Name, happened => happened.Count));
    }

    internal sealed record Worker(int Index, IReadOnlyList<string> Ports, long Packets, long HandedOver, long TakenOver, int Flows, long BusyNs, long IdleNs,
        long BusyRounds, long IdleRounds, long Sleeps, double CyclesPerPacket, IReadOnlyList<long> BatchSizes)
    {
        public static Worker From(WorkerStatus worker) => new(worker.Index, worker.Ports, worker.Packets, worker.HandedOver, worker.TakenOver,
            worker.FlowEntries / 2, worker.BusyNs, worker.IdleNs,
            worker.BusyRounds, worker.IdleRounds, worker.Sleeps, Math.Round(worker.CyclesPerPacket, 1), worker.BatchSizes);
    }

    internal sealed record Translation(string Inside, string Outside, string? Sources, string Address, long Flows, long Packets, long Bytes, string Mapping, string Filtering,
        long Mappings)
    {
        public static Translation From(NatStatus entry) => new(entry.Inside, entry.Outside, entry.From?.ToString(), entry.Address.ToString(), entry.Flows, entry.Packets,
            entry.Bytes, Word(entry.Mapping), Word(entry.Filtering), entry.Mappings);

        private static string Word<T>(T value)
            where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
    }

    internal sealed record Followed(long Flows, long Packets, long Bytes, IReadOnlyDictionary<string, long> Invalid)
    {
        public static Followed? From(ConnectionsStatus status) => status.IsFollowing
            ? new(status.Flows, status.Packets, status.Bytes, status.Invalid.Where(entry => entry.Packets > 0).ToDictionary(entry => entry.Reason, entry => entry.Packets))
            : null;
    }

    internal sealed record Rule(string Name, long Packets, long Bytes);

    internal sealed record Service(string Name, string Address, int Port, IReadOnlyList<Backend> Backends)
    {
        public static Service From(ServiceStatus service) => new(service.Name, service.PrefixLength is { } length ? $"{service.Address}/{length}" : service.Address.ToString(), service.Port,
            [.. service.Backends.Select(backend => new Backend(backend.Address.ToString(), backend.Port, backend.Weight, backend.Flows, backend.Packets, backend.Bytes,
                backend.State.ToString().ToLowerInvariant(), backend.Reason, backend.ActiveFlows))])
        { IsPanicking = service.IsPanicking, LastPort = service.LastPort };

        public bool IsPanicking { get; init; }

        public int LastPort { get; init; }
    }

    internal sealed record Backend(string Address, int Port, int Weight, long Flows, long Packets, long Bytes, string State, string Reason, long ActiveFlows);

    internal sealed record Neighbour(string Port, int Vlan, string Address, string Mac, string State)
    {
        public static Neighbour From(NeighbourStatus neighbour) => new(neighbour.Port, neighbour.Vlan, neighbour.Address.ToString(), neighbour.Mac.ToString(),
            neighbour.State.ToString().ToLowerInvariant());
    }
}
