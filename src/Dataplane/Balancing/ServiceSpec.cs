using Dataplane.Filtering;
using Dataplane.Health;
using Dataplane.Nat;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>A service: an address, port and protocol in front of several backends; or a prefix in place of the address, or several ports or all.</summary>
/// <remarks>Of several services that a packet is for, that with the longest prefix takes it, and of those of one prefix that with the fewest ports.</remarks>
public sealed record ServiceSpec
{
    private readonly BackendBounds _bounds = new();

    /// <summary>Name; unique.</summary>
    public required string Name { get; init; }

    /// <summary>The service's address. If it lies in a connected prefix, the engine answers ARP or neighbour discovery for it. Of a prefix its first address.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>Length of the prefix whose addresses are all the service's, 8 to 32 or 128; null for one address. A prefix must be routed to the engine.</summary>
    public int? PrefixLength { get; init; }

    /// <summary>The service's port, 1 to 65535, or the first of several; 0 with <see cref="LastPort"/> 65535 for all.</summary>
    public required ushort Port { get; init; }

    /// <summary>The last of several ports; 0 for <see cref="Port"/> alone.</summary>
    public ushort LastPort { get; init; }

    /// <summary>The service's ports.</summary>
    public PortRange Ports => new(Port, IsOnePort ? Port : LastPort);

    /// <summary>The service's addresses; none while the specification has no address or a length out of range.</summary>
    public IpPrefix Prefix => Address.IsNone || PrefixLength is < 0 || PrefixLength > Address.BitLength ? default : new(Address, PrefixLength ?? Address.BitLength);

    internal bool IsOneAddress => PrefixLength is not { } length || length == Address.BitLength;

    internal bool IsOnePort => LastPort == 0 || LastPort == Port;

    /// <summary>Whether a backend may be at an address; false is certain.</summary>
    internal bool MayHaveBackendAt(IpAddress address) => Backends is List<BackendSpec> || _bounds.MayHold(Backends, address);

    /// <summary>Whether packets to an address and port may be for the service.</summary>
    internal bool Serves(IpAddress address, int port) => port >= Ports.First && port <= Ports.Last && (IsOneAddress ? Address == address : Prefix.Contains(address));

    /// <summary>6 (TCP) or 17 (UDP).</summary>
    public byte Protocol { get; init; } = 6;

    /// <summary>How a backend is chosen for a new flow.</summary>
    public BalancePolicy Balance { get; init; }

    /// <summary>What of a packet chooses, for policies by hash; for all, where there is no room for flows.</summary>
    public HashFields Hash { get; init; }

    /// <summary>Begins the hash. Another one spreads flows otherwise, such as make up one backend's load by chance or by intent; gateways that are to agree have the same.</summary>
    public ulong HashSeed { get; init; }

    /// <summary>How many flows a backend may have: its share of the service's, by weight, times this, rounded up; 1 to 100, to two digits. More go to the backends of the next
    /// slots. Null: no bound. For policies with a table.</summary>
    public double? MaxLoad { get; init; }

    /// <summary>How packets reach the backend.</summary>
    public ForwardMode Forward { get; init; }

    /// <summary>Slots of the Maglev table: a prime from 251 to 5,000,011, at least 100 times the backends for shares within 1 %.</summary>
    public int TableSize { get; init; } = 65537;

    /// <summary>How long a client, by its address, is sent to the backend it went to before, since its last new flow; 1 second to 1 day. Null: not at all.</summary>
    public TimeSpan? Affinity { get; init; }

    /// <summary>How long its flows may be idle; that of ICMP is nothing to services.</summary>
    public NatTimeouts Timeouts { get; init; } = new();

    /// <summary>What becomes of the TCP flows of a backend that is taken out. Flows of a service that is taken out itself end, by reset if this says so.</summary>
    public RemovePolicy OnRemove { get; init; }

    /// <summary>What senders hear when there is no backend to take their packet.</summary>
    public NoBackendPolicy NoBackend { get; init; }

    /// <summary>Clients that go to some of the backends, by their addresses; all others go to any.</summary>
    public IReadOnlyList<SteerSpec> Steer { get; init; } = [];

    /// <summary>How packets of QUIC connections find their backend when clients change address or port; null: as those of others. For UDP.</summary>
    public QuicSpec? Quic { get; init; }

    /// <summary>How the backends' health is found out; null: all are taken to be up.</summary>
    public HealthSpec? Health { get; init; }

    /// <summary>The backends, of the service's address family unless packets are enclosed. None: packets are dropped as no_backend.</summary>
    public IReadOnlyList<BackendSpec> Backends { get; init; } = [];
}
