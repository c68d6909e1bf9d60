using Dataplane.Health;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>A service: one address, port and protocol in front of several backends.</summary>
public sealed record ServiceSpec
{
    /// <summary>Name; unique.</summary>
    public required string Name { get; init; }

    /// <summary>The service's address. If it lies in a connected prefix, the engine answers ARP or neighbour discovery for it.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>The service's port, 1 to 65535.</summary>
    public required ushort Port { get; init; }

    /// <summary>6 (TCP) or 17 (UDP).</summary>
    public byte Protocol { get; init; } = 6;

    /// <summary>How a backend is chosen for a new flow.</summary>
    public BalancePolicy Balance { get; init; }

    /// <summary>How packets reach the backend.</summary>
    public ForwardMode Forward { get; init; }

    /// <summary>Slots of the Maglev table: a prime from 251 to 5,000,011, at least 100 times the backends for shares within 1 %.</summary>
    public int TableSize { get; init; } = 65537;

    /// <summary>How long a client, by its address, is sent to the backend it went to before, since its last new flow; 1 second to 1 day. Null: not at all.</summary>
    public TimeSpan? Affinity { get; init; }

    /// <summary>What becomes of the TCP flows of a backend that is taken out. Flows of a service that is taken out itself end, by reset if this says so.</summary>
    public RemovePolicy OnRemove { get; init; }

    /// <summary>What senders hear when there is no backend to take their packet.</summary>
    public NoBackendPolicy NoBackend { get; init; }

    /// <summary>How the backends' health is found out; null: all are taken to be up.</summary>
    public HealthSpec? Health { get; init; }

    /// <summary>The backends, of the service's address family unless packets are enclosed. None: packets are dropped as no_backend.</summary>
    public IReadOnlyList<BackendSpec> Backends { get; init; } = [];
}
