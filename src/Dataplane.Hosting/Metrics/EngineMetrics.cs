using System.Diagnostics.Metrics;
using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Telemetry;

namespace Dataplane.Hosting.Metrics;

/// <summary>Every instrument of the engine, in one list that both the meter and the Prometheus text are made from.</summary>
/// <remarks>Attributes have few values, all from the configuration or from closed lists: never an address of a client or a flow.</remarks>
internal static partial class EngineMetrics
{
    public const string MeterName = "Dataplane";

    private const string Interface = "network.interface.name";
    private const string Direction = "network.io.direction";
    private const string Reason = "dataplane.drop.reason";
    private const string ErrorType = "error.type";
    private const string Event = "dataplane.network.event";
    private const string PollResult = "dataplane.network.poll.result";
    private const string Rule = "dataplane.filter.rule";
    private const string Service = "dataplane.service";
    private const string Backend = "dataplane.backend";
    private const string ConnectionId = "dataplane.connection_id.outcome";
    private const string InvalidReason = "dataplane.connection.reason";
    private const string Inside = "dataplane.nat.inside";
    private const string Outside = "dataplane.nat.outside";
    private const string From = "dataplane.nat.from";
    private const string Address = "dataplane.nat.address";
    private const string NetworkName = "dataplane.network";
    private const string EndpointName = "dataplane.endpoint";
    private const string ResponseCode = "dns.response.code";
    private const string Result = "result";
    private const string Worker = "dataplane.worker.id";
    private const string State = "dataplane.worker.state";
    private const string BatchSize = "dataplane.worker.batch.size";

    public static IReadOnlyList<EngineMetric> All { get; } =
    [
        .. Network(), .. Packets(), .. Tables(), .. Workers(), .. Filter(), .. Connections(), .. Translation(), .. Balancing(), .. Endpoints(), .. Bridges(), .. Names(), .. Configuration(),
    ];

    private static IEnumerable<EngineMetric> Network() =>
    [
        new("dataplane.network.io", MetricKind.Counter, "By", "Bytes through a port, from the first MAC byte, without FCS.",
            reading => PerDirection(reading, statistics => (statistics.ReceivedBytes, statistics.TransmittedBytes))),
        new("dataplane.network.packet.count", MetricKind.Counter, "{packet}", "Packets through a port.",
            reading => PerDirection(reading, statistics => (statistics.ReceivedPackets, statistics.TransmittedPackets))),
        new("dataplane.network.errors", MetricKind.Counter, "{error}",
            "Packets lost at a port: dropped by the kernel before the engine saw them, refused by the transmit ring, lost with their peer, malformed at the ring.", PortErrors),
        new("dataplane.network.event.count", MetricKind.Counter, "{event}", "What happened to a port beside its frames, such as peers refused; by what it was.",
            reading => reading.Ports.SelectMany(port => port.Events.Select(happened => Of(happened.Count, (Interface, port.Name), (Event, happened.Name))))),
        new("dataplane.network.poll.count", MetricKind.Counter, "{poll}", "Times that workers asked a port for frames, by whether it had some.",
            reading => reading.Ports.SelectMany(port => new[]
            {
                Of(port.Batches, (Interface, port.Name), (PollResult, "batch")), Of(port.Polls - port.Batches, (Interface, port.Name), (PollResult, "nothing")),
            })),
        new("dataplane.network.wakes", MetricKind.Counter, "{wake}", "Sleeps of workers that a port's descriptor ended.",
            reading => reading.Ports.Select(port => Of(port.Wakes, (Interface, port.Name)))),
        new("dataplane.network.up", MetricKind.Gauge, "1", "1 when the port's link passes frames, otherwise 0.",
            reading => reading.Ports.Select(port => Of(port.Link == LinkState.Up ? 1 : 0, (Interface, port.Name)))),
    ];

    private static IEnumerable<EngineMetric> Packets() =>
    [
        new("dataplane.network.packet.dropped", MetricKind.Counter, "{packet}",
            "Packets not sent on, by reason; the reasons that begin with consumed are packets to the engine itself.",
            reading => Enumerable.Range(1, DropReasonNames.Count - 1).Select(reason =>
                Of(reading.Accounting.DroppedByReason[reason], (Reason, ((DropReason)reason).ToName())))),
        new("dataplane.packet.received", MetricKind.Counter, "{packet}",
            "Packets the ports handed over. Received + originated = transmitted + dropped + held.", reading => One(reading.Accounting.Received)),
        new("dataplane.packet.originated", MetricKind.Counter, "{packet}", "Packets the engine made: ICMP errors, ARP and neighbour discovery, fragments.",
            reading => One(reading.Accounting.Originated)),
        new("dataplane.packet.transmitted", MetricKind.Counter, "{packet}", "Packets the ports accepted.", reading => One(reading.Accounting.Transmitted)),
        new("dataplane.packet.held", MetricKind.UpDownCounter, "{packet}", "Packets that wait for their next hop to be resolved.",
            reading => One(reading.Accounting.Held)),
        new("dataplane.icmp.suppressed", MetricKind.Counter, "{packet}", "ICMP errors not sent because of the rate limit.",
            reading => One(reading.Figures.IcmpErrorsSuppressed)),
        new("dataplane.capture.captured", MetricKind.Counter, "{packet}", "Packets copied out by captures.", reading => One(reading.Captures.Captured)),
        new("dataplane.capture.missed", MetricKind.Counter, "{packet}", "Packets that captures asked for and that were not captured, since their reader was too slow.",
            reading => One(reading.Captures.NotCaptured)),
    ];

    private static IEnumerable<EngineMetric> Tables() =>
    [
        // Two entries, one per direction, make a flow.
        new("dataplane.flow.count", MetricKind.UpDownCounter, "{flow}", "Flows known now.", reading => One(reading.Figures.FlowEntries / 2)),
        new("dataplane.flow.limit", MetricKind.UpDownCounter, "{flow}", "Flows that can be known at most.", reading => One(reading.Figures.FlowCapacity / 2)),
        new("dataplane.flow.memory", MetricKind.UpDownCounter, "By", "Memory of the flow tables.", reading => One(reading.Figures.FlowTableBytes)),
        new("dataplane.flow.expired", MetricKind.Counter, "{flow}", "Flows forgotten because they were idle too long.", reading => One(reading.Figures.FlowsExpired)),
        new("dataplane.flow.evicted", MetricKind.Counter, "{flow}", "Flows given up before their time to make room.", reading => One(reading.Figures.FlowsEvicted)),
        new("dataplane.stateless.packet.count", MetricKind.Counter, "{packet}", "Packets of services forwarded without a flow, since there was no room for one.",
            reading => One(reading.Figures.StatelessPackets)),
        new("dataplane.stateless.switches", MetricKind.Counter, "{switch}", "Times that workers began to forward so.", reading => One(reading.Figures.StatelessSwitches)),
        new("dataplane.stateless.active", MetricKind.UpDownCounter, "1", "1 while a worker does, or did within the last minute.",
            reading => One(reading.Figures.IsStateless ? 1 : 0)),
        new("dataplane.neighbour.count", MetricKind.UpDownCounter, "{neighbour}", "Entries of the neighbour table in use.",
            reading => One(reading.Figures.Neighbours)),
    ];

    private static IEnumerable<EngineMetric> Workers() =>
    [
        new("dataplane.worker.packet.count", MetricKind.Counter, "{packet}", "Packets a worker received, from ports and from other workers.",
            reading => PerWorker(reading, worker => worker.Packets)),
        new("dataplane.worker.handed_over", MetricKind.Counter, "{packet}", "Packets a worker gave to others, which own their flow or the port they leave by.",
            reading => PerWorker(reading, worker => worker.HandedOver)),
        new("dataplane.worker.taken_over", MetricKind.Counter, "{packet}", "Packets a worker got from others. Less than all handed over by as many as wait between two workers.",
            reading => PerWorker(reading, worker => worker.TakenOver)),
        new("dataplane.worker.sleeps", MetricKind.Counter, "{sleep}", "Times a worker went to sleep, and was woken by a frame, another thread or its timer of 100 ms.",
            reading => PerWorker(reading, worker => worker.Sleeps)),
        new("dataplane.worker.rounds", MetricKind.Counter, "{round}", "Rounds over a worker's ports: busy ones received something, idle ones found nothing.",
            reading => reading.Workers.SelectMany(worker => new[]
            {
                Of(worker.BusyRounds, (Worker, Name(worker)), (State, "busy")), Of(worker.IdleRounds, (Worker, Name(worker)), (State, "idle")),
            })),
        new("dataplane.worker.batch.count", MetricKind.Counter, "{batch}", "Batches a worker received from ports, by the least size of their class: 1, 2 (to 3), 4 (to 7), to 256.",
            reading => reading.Workers.SelectMany(worker => worker.BatchSizes.Select((batches, size) =>
                Of(batches, (Worker, Name(worker)), (BatchSize, (1 << size).ToString(CultureInfo.InvariantCulture)))))),
        new("dataplane.worker.time", MetricKind.Counter, "ns", "What a worker's time went to: rounds that received something are busy, others idle; sleep is neither.",
            reading => reading.Workers.SelectMany(worker => new[]
            {
                Of(worker.BusyNs, (Worker, Name(worker)), (State, "busy")), Of(worker.IdleNs, (Worker, Name(worker)), (State, "idle")),
            })),
        new("dataplane.worker.cycles", MetricKind.Gauge, "{cycle}", "Cycles of the time stamp counter per packet, idle polls apart; 0 where its rate is not known.",
            reading => PerWorker(reading, worker => (long)Math.Round(worker.CyclesPerPacket))),
    ];

    private static IEnumerable<EngineMetric> Filter() =>
    [
        new("dataplane.filter.packet.count", MetricKind.Counter, "{packet}", "Packets a filter rule decided; rule default: those no rule matched.",
            reading => reading.Rules.Select(rule => Of(rule.Packets, (Rule, rule.Name)))),
        new("dataplane.filter.io", MetricKind.Counter, "By", "Bytes of the packets a filter rule decided.",
            reading => reading.Rules.Select(rule => Of(rule.Bytes, (Rule, rule.Name)))),
    ];

    private static IEnumerable<EngineMetric> Connections() =>
    [
        new("dataplane.connection.flow.count", MetricKind.Counter, "{flow}", "Flows begun that are followed because filter rules ask for states, and translated by nobody.",
            reading => One(reading.Connections.Flows)),
        new("dataplane.connection.packet.count", MetricKind.Counter, "{packet}", "Packets of these flows.", reading => One(reading.Connections.Packets)),
        new("dataplane.connection.io", MetricKind.Counter, "By", "Bytes of these flows.", reading => One(reading.Connections.Bytes)),
        new("dataplane.connection.invalid", MetricKind.Counter, "{packet}", "Packets in state invalid, whatever the rules did with them, by what is wrong.",
            reading => reading.Connections.Invalid.Select(entry => Of(entry.Packets, (InvalidReason, entry.Reason)))),
    ];

    private static IEnumerable<EngineMetric> Translation() =>
    [
        new("dataplane.nat.flow.count", MetricKind.Counter, "{flow}", "Flows whose source was translated to an address.", reading => PerAddress(reading, entry => entry.Flows)),
        new("dataplane.nat.packet.count", MetricKind.Counter, "{packet}", "Packets of these flows, both ways.", reading => PerAddress(reading, entry => entry.Packets)),
        new("dataplane.nat.mapping.count", MetricKind.UpDownCounter, "{port}", "Ports of an address that are mapped towards everybody now.", reading => PerAddress(reading, entry => entry.Mappings)),
        new("dataplane.nat.io", MetricKind.Counter, "By", "Bytes of these flows, both ways.", reading => PerAddress(reading, entry => entry.Bytes)),
    ];

    private static IEnumerable<EngineMetric> Balancing() =>
    [
        new("dataplane.backend.count", MetricKind.UpDownCounter, "{backend}", "Backends of a service.",
            reading => reading.Services.Select(service => Of(service.Backends.Count, (Service, service.Name)))),
        new("dataplane.backend.weight", MetricKind.Gauge, "1", "Share of new flows a backend is given.", reading => PerBackend(reading, backend => backend.Weight)),
        new("dataplane.backend.up", MetricKind.Gauge, "1", "1 while a backend is taken to be up, otherwise 0: down, draining or drained.",
            reading => PerBackend(reading, backend => backend.State == BackendState.Up ? 1 : 0)),
        new("dataplane.service.panicking", MetricKind.Gauge, "1", "1 while so few backends are up that health is disregarded.",
            reading => reading.Services.Select(service => Of(service.IsPanicking ? 1 : 0, (Service, service.Name)))),
        new("dataplane.service.connection_id.packet.count", MetricKind.Counter, "{packet}", "Packets from clients to a service that asks for QUIC connection IDs, by what these said.",
            reading => reading.Services.SelectMany(PerOutcome)),
        new("dataplane.service.connection_id.flow.count", MetricKind.Counter, "{flow}", "Flows that began with the backend their first packet's connection ID named.",
            reading => Asking(reading, status => status.FlowsBegun)),
        new("dataplane.service.connection_id.flow.moved", MetricKind.Counter, "{flow}", "Of these, flows that took the address and port of a flow with another backend.",
            reading => Asking(reading, status => status.FlowsMoved)),
        new("dataplane.backend.flow.active", MetricKind.UpDownCounter, "{flow}", "Flows that remember a backend now.",
            reading => PerBackend(reading, backend => backend.ActiveFlows)),
        new("dataplane.backend.flow.count", MetricKind.Counter, "{flow}", "Flows a backend has been given.", reading => PerBackend(reading, backend => backend.Flows)),
        new("dataplane.backend.flow.diverted", MetricKind.Counter, "{flow}", "Flows that the hash gave a backend and that went to others, since it had as many as it may.",
            reading => PerBackend(reading, backend => backend.Diverted)),
        new("dataplane.backend.packet.count", MetricKind.Counter, "{packet}", "Packets to and from a backend.",
            reading => PerBackend(reading, backend => backend.Packets)),
        new("dataplane.backend.io", MetricKind.Counter, "By", "Bytes to and from a backend.", reading => PerBackend(reading, backend => backend.Bytes)),
    ];

    private static IEnumerable<Measurement<long>> PerOutcome(ServiceStatus service) => service.ConnectionIds is not { } ids ? []
        : new (string Name, long Packets)[]
        {
            ("routed", ids.Routed), ("client_chosen", ids.ClientChosen), ("unknown_type", ids.UnknownType), ("wrong_length", ids.WrongLength),
            ("no_configuration", ids.NoConfiguration), ("unknown_server", ids.UnknownServer), ("unavailable", ids.Unavailable),
        }.Select(outcome => Of(outcome.Packets, (Service, service.Name), (ConnectionId, outcome.Name)));

    private static IEnumerable<Measurement<long>> Asking(EngineReading reading, Func<ConnectionIdStatus, long> read) =>
        reading.Services.Where(service => service.ConnectionIds is not null).Select(service => Of(read(service.ConnectionIds!), (Service, service.Name)));

    private static IEnumerable<EngineMetric> Endpoints() =>
    [
        new("dataplane.endpoint.io", MetricKind.Counter, "By", "Bytes between an endpoint of a network and the engine, as the endpoint sends and receives them.",
            reading => PerEndpoint(reading, endpoint => (endpoint.ReceivedBytes, endpoint.SentBytes))),
        new("dataplane.endpoint.packet.count", MetricKind.Counter, "{packet}", "Packets between an endpoint of a network and the engine, as the endpoint sends and receives them.",
            reading => PerEndpoint(reading, endpoint => (endpoint.ReceivedFrames, endpoint.SentFrames))),
        new("dataplane.endpoint.limited", MetricKind.Counter, "{packet}", "Packets beyond an endpoint's rate, as it sends and receives them.",
            reading => PerEndpoint(reading, endpoint => (endpoint.ReceivedLimited, endpoint.SentLimited))),
        new("dataplane.endpoint.spoofed", MetricKind.Counter, "{packet}", "Packets from an endpoint that said they were from somebody else.",
            reading => reading.Endpoints.Select(endpoint => Of(endpoint.Spoofed, (NetworkName, endpoint.Network), (EndpointName, endpoint.Name)))),
        new("dataplane.endpoint.rogue", MetricKind.Counter, "{packet}", "Packets from an endpoint that posed as router or DHCP server.",
            reading => reading.Endpoints.Select(endpoint => Of(endpoint.Rogue, (NetworkName, endpoint.Network), (EndpointName, endpoint.Name)))),
    ];

    private static IEnumerable<EngineMetric> Names() =>
    [
        new("dataplane.dns.response.count", MetricKind.Counter, "{response}", "Answers of the name servers from their own zones, and refusals, by response code.",
            reading => reading.Names.Answered.Select((count, rcode) => (count, rcode)).Where(entry => entry.count > 0 || entry.rcode is 0 or 2 or 3 or 5)
                .Select(entry => Of(entry.count, (ResponseCode, NameOf(entry.rcode))))),
        new("dataplane.dns.truncated", MetricKind.Counter, "{response}", "Answers that did not fit a datagram and say so.", reading => One(reading.Names.Truncated)),
        new("dataplane.dns.forwarded", MetricKind.Counter, "{query}", "Queries handed on to be asked upstream.", reading => One(reading.Names.Forwarded)),
        new("dataplane.dns.forward.refused", MetricKind.Counter, "{query}", "Queries answered with SERVFAIL because too many were being asked upstream.",
            reading => One(reading.Names.ForwardsRefused)),
        new("dataplane.dns.connection.count", MetricKind.Counter, "{connection}", "Connections over TCP that asked something.", reading => One(reading.Names.Connections)),
        new("dataplane.dns.connection.reset", MetricKind.Counter, "{connection}", "Connections over TCP that the name server reset: no room, no query, nothing acknowledged.",
            reading => One(reading.Names.ConnectionsReset)),
        new("dataplane.dns.name.count", MetricKind.UpDownCounter, "{name}", "Names in the zones in force.", reading => One(reading.Names.Names)),
    ];

    /// <summary>Response codes as everybody writes them (RFC 6895 2.3).</summary>
    private static string NameOf(int rcode) => rcode switch
    {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        16 => "BADVERS",
        _ => rcode.ToString(CultureInfo.InvariantCulture),
    };

    private static IEnumerable<EngineMetric> Configuration() =>
    [
        new("dataplane.running", MetricKind.Gauge, "1", "1 while the workers forward, otherwise 0.", reading => One(reading.IsRunning ? 1 : 0)),
        new("dataplane.config.version", MetricKind.Gauge, "1", "Version of the tables in force; counts up with every update.", reading => One(reading.Version)),
        new("dataplane.config.reloads", MetricKind.Counter, "{reload}", "Changed configurations, by whether they were put in force.",
            reading => [Of(reading.Reloads.Applied, (Result, "applied")), Of(reading.Reloads.Rejected, (Result, "rejected"))]),
        new("dataplane.config.last_success", MetricKind.Gauge, "s", "When the configuration in force was put there, since 1970 UTC.",
            reading => One(reading.Reloads.LastSuccessUnixSeconds)),
    ];

    private static IEnumerable<Measurement<long>> PerDirection(EngineReading reading, Func<PortStatistics, (long Received, long Transmitted)> read)
    {
        foreach (PortStatus port in reading.Ports)
        {
            (long received, long transmitted) = read(port.Statistics);
            yield return Of(received, (Interface, port.Name), (Direction, "receive"));
            yield return Of(transmitted, (Interface, port.Name), (Direction, "transmit"));
        }
    }

    private static IEnumerable<Measurement<long>> PortErrors(EngineReading reading)
    {
        foreach (PortStatus port in reading.Ports)
        {
            yield return Of(port.Statistics.KernelDrops, (Interface, port.Name), (Direction, "receive"), (ErrorType, "kernel_drop"));
            yield return Of(port.Statistics.Errors, (Interface, port.Name), (Direction, "receive"), (ErrorType, "malformed"));
            yield return Of(port.Statistics.TransmitRefused, (Interface, port.Name), (Direction, "transmit"), (ErrorType, "refused"));
            yield return Of(port.Statistics.TransmitLost, (Interface, port.Name), (Direction, "transmit"), (ErrorType, "lost"));
        }
    }

    private static IEnumerable<Measurement<long>> PerWorker(EngineReading reading, Func<WorkerStatus, long> read) =>
        reading.Workers.Select(worker => Of(read(worker), (Worker, Name(worker))));

    private static string Name(WorkerStatus worker) => worker.Index.ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<Measurement<long>> PerBackend(EngineReading reading, Func<BackendStatus, long> read) =>
        from service in reading.Services
        from backend in service.Backends
        select Of(read(backend), (Service, service.Name), (Backend, BackendName(backend)));

    private static IEnumerable<Measurement<long>> PerAddress(EngineReading reading, Func<NatStatus, long> read) =>
        reading.Nat.Select(entry => Of(read(entry), (Inside, entry.Inside), (Outside, entry.Outside), (From, entry.From?.ToString() ?? "any"),
            (Address, entry.Address.ToString())));

    private static IEnumerable<Measurement<long>> PerEndpoint(EngineReading reading, Func<EndpointStatus, (long Received, long Sent)> read)
    {
        foreach (EndpointStatus endpoint in reading.Endpoints)
        {
            (long received, long sent) = read(endpoint);
            yield return Of(received, (NetworkName, endpoint.Network), (EndpointName, endpoint.Name), (Direction, "receive"));
            yield return Of(sent, (NetworkName, endpoint.Network), (EndpointName, endpoint.Name), (Direction, "transmit"));
        }
    }

    private static string BackendName(BackendStatus backend) => backend.Address.IsIpv6
        ? string.Create(CultureInfo.InvariantCulture, $"[{backend.Address}]:{backend.Port}")
        : string.Create(CultureInfo.InvariantCulture, $"{backend.Address}:{backend.Port}");

    private static Measurement<long>[] One(long value) => [new(value)];

    private static Measurement<long> Of(long value, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        var tags = new KeyValuePair<string, object?>[attributes.Length];
        for (int i = 0; i < tags.Length; i++)
        {
            tags[i] = new(attributes[i].Name, attributes[i].Value);
        }

        return new Measurement<long>(value, tags);
    }
}
