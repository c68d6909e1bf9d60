using Dataplane.Hosting.Reloading;
using Dataplane.Names;
using Dataplane.Telemetry;

namespace Dataplane.Hosting.Metrics;

/// <summary>One look at an engine's counters; each part is read once, when it is first asked for.</summary>
internal sealed class EngineReading(DataplaneEngine engine, ReloadState reloads)
{
    private Accounting? _accounting;
    private IReadOnlyList<PortStatus>? _ports;
    private IReadOnlyList<ServiceStatus>? _services;
    private IReadOnlyList<EndpointStatus>? _endpoints;
    private IReadOnlyList<BridgeStatus>? _bridges;
    private IReadOnlyList<RuleStatus>? _rules;
    private IReadOnlyList<NatStatus>? _nat;
    private ConnectionsStatus? _connections;
    private NameServerStatus? _names;
    private EngineFigures? _figures;
    private (long Captured, long NotCaptured)? _captures;
    private IReadOnlyList<WorkerStatus>? _workers;

    public Accounting Accounting => _accounting ??= engine.ReadAccounting();

    public IReadOnlyList<PortStatus> Ports => _ports ??= engine.ReadPorts();

    public IReadOnlyList<EndpointStatus> Endpoints => _endpoints ??= engine.ReadEndpoints();

    public IReadOnlyList<BridgeStatus> Bridges => _bridges ??= engine.ReadBridges();

    public IReadOnlyList<ServiceStatus> Services => _services ??= engine.ReadServices();

    public IReadOnlyList<RuleStatus> Rules => _rules ??= engine.ReadRules();

    public IReadOnlyList<NatStatus> Nat => _nat ??= engine.ReadNat();

    public ConnectionsStatus Connections => _connections ??= engine.ReadConnections();

    public NameServerStatus Names => _names ??= engine.ReadNames();

    public EngineFigures Figures => _figures ??= engine.ReadFigures();

    public (long Captured, long NotCaptured) Captures => _captures ??= engine.ReadCaptures();

    public IReadOnlyList<WorkerStatus> Workers => _workers ??= engine.ReadWorkers();

    public ReloadState Reloads => reloads;

    public int Version => engine.Version;

    public bool IsRunning => engine.State == EngineState.Running;
}
