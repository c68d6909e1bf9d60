using Dataplane.Configuration;
using Dataplane.Health;
using Dataplane.Nat;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Describes one service.</summary>
public sealed class ServiceBuilder
{
    private readonly List<BackendSpec> _backends = [];
    private readonly List<ConfigurationError> _errors;
    private readonly string _path;
    private ServiceSpec _spec;

    internal ServiceBuilder(string name, string address, int? port, string path, List<ConfigurationError> errors)
    {
        _path = path;
        _errors = errors;
        // Without a port it is all of them.
        IpPrefix addresses = TextReading.AddressOrPrefix(address, $"{path}.address", errors);
        _spec = new ServiceSpec
        {
            Name = name,
            Address = addresses.Address,
            PrefixLength = addresses.Address.IsNone || addresses.Length == addresses.Address.BitLength ? null : addresses.Length,
            Port = port is { } one ? ReadPort(one, $"{path}.port") : (ushort)0,
            LastPort = port is null ? ushort.MaxValue : (ushort)0,
        };
    }

    /// <summary>Serves several ports.</summary>
    /// <param name="first">1 to 65535.</param>
    /// <param name="last">From <paramref name="first"/> to 65535.</param>
    public ServiceBuilder Ports(int first, int last) => With(_spec with { Port = ReadPort(first, $"{_path}.port"), LastPort = ReadPort(last, $"{_path}.port") });

    /// <summary>Balances TCP, the default.</summary>
    public ServiceBuilder Tcp() => With(_spec with { Protocol = 6 });

    /// <summary>Balances UDP.</summary>
    public ServiceBuilder Udp() => With(_spec with { Protocol = 17 });

    /// <summary>Chooses backends by consistent hash, the default.</summary>
    /// <param name="tableSize">Slots of the table: a prime from 251 to 5,000,011.</param>
    public ServiceBuilder Maglev(int tableSize = 65537) => With(_spec with { Balance = BalancePolicy.Maglev, TableSize = tableSize });

    /// <summary>Chooses one backend after the other.</summary>
    public ServiceBuilder RoundRobin() => With(_spec with { Balance = BalancePolicy.RoundRobin });

    /// <summary>Chooses one backend after the other in proportion to the weights.</summary>
    public ServiceBuilder Weighted() => With(_spec with { Balance = BalancePolicy.Weighted });

    /// <summary>Chooses backends as a policy says.</summary>
    public ServiceBuilder Balance(BalancePolicy policy) => With(_spec with { Balance = policy });

    /// <summary>Says what chooses a backend by hash.</summary>
    /// <param name="fields">What of a packet counts.</param>
    /// <param name="seed">Begins the hash; gateways that are to agree have the same.</param>
    public ServiceBuilder Hash(HashFields fields, ulong seed = 0) => With(_spec with { Hash = fields, HashSeed = seed });

    /// <summary>Bounds the flows of each backend: its share of all, times a factor, rounded up.</summary>
    /// <param name="factor">1 to 100, to two digits.</param>
    public ServiceBuilder MaxLoad(double factor) => With(_spec with { MaxLoad = factor });

    /// <summary>Sends packets to the backend's hardware address as they are (direct server return).</summary>
    public ServiceBuilder Dsr() => With(_spec with { Forward = ForwardMode.Dsr });

    /// <summary>Sends packets to the backend inside other packets; <see cref="DataplaneBuilder.Encapsulation"/> says where these come from.</summary>
    /// <param name="mode"><see cref="ForwardMode.Ipip"/> or <see cref="ForwardMode.Gue"/>.</param>
    public ServiceBuilder Enclosed(ForwardMode mode) => With(_spec with { Forward = mode });

    /// <summary>Sends a client to the backend it went to before.</summary>
    /// <param name="timeout">How long since its last new flow: 1 second to 1 day.</param>
    public ServiceBuilder Affinity(TimeSpan timeout) => With(_spec with { Affinity = timeout });

    /// <summary>Says how long flows may be idle.</summary>
    public ServiceBuilder Timeouts(NatTimeouts timeouts) => With(_spec with { Timeouts = timeouts });

    /// <summary>Has packets of QUIC connections go to the backend that their connection ID names.</summary>
    public ServiceBuilder Quic(QuicSpec quic) => With(_spec with { Quic = quic });

    /// <summary>Says how the backends' health is found out.</summary>
    public ServiceBuilder Health(HealthSpec health) => With(_spec with { Health = health });

    /// <summary>Says what becomes of the TCP flows of a backend that is taken out.</summary>
    public ServiceBuilder OnRemove(RemovePolicy policy) => With(_spec with { OnRemove = policy });

    /// <summary>Says what senders hear when there is no backend to take their packet.</summary>
    public ServiceBuilder NoBackend(NoBackendPolicy policy) => With(_spec with { NoBackend = policy });

    /// <summary>Adds a backend.</summary>
    /// <param name="address">IPv4 or IPv6 address, of the service's family.</param>
    /// <param name="port">1 to 65535.</param>
    /// <param name="weight">Share of new flows, 0 to 65535; 0: no new flows.</param>
    public ServiceBuilder Backend(string address, int port, int weight = 1)
    {
        string path = $"{_path}.backends[{_backends.Count}]";
        _backends.Add(new BackendSpec
        {
            Address = TextReading.Address(address, $"{path}.address", _errors),
            Port = ReadPort(port, $"{path}.port"),
            Weight = weight,
        });
        return this;
    }

    /// <summary>Says which server the last backend is by its connection IDs.</summary>
    /// <param name="serverIds">As <see cref="BackendSpec.ServerIds"/> has them.</param>
    /// <exception cref="InvalidOperationException">There is no backend yet.</exception>
    public ServiceBuilder ServerIds(string serverIds) => WithLast(backend => backend with { ServerIds = serverIds });

    /// <summary>Puts the last backend into a group, for <see cref="Steer"/>.</summary>
    /// <param name="group">Name of the group.</param>
    /// <exception cref="InvalidOperationException">There is no backend yet.</exception>
    public ServiceBuilder Group(string group) => WithLast(backend => backend with { Group = group });

    /// <summary>Has clients with addresses of a prefix go to the backends of a group, while any of these takes new flows.</summary>
    /// <param name="from">The prefix.</param>
    /// <param name="to">The group, or several divided by commas.</param>
    public ServiceBuilder Steer(string from, string to) =>
        With(_spec with { Steer = [.. _spec.Steer, new SteerSpec { From = TextReading.PrefixOrAddress(from, $"{_path}.steer[{_spec.Steer.Count}].from", _errors), To = to }] });

    /// <summary>Adds a backend that gets packets at the port they were sent to; for services with several ports.</summary>
    /// <param name="address">IPv4 or IPv6 address, of the service's family.</param>
    /// <param name="weight">Share of new flows, 0 to 65535; 0: no new flows.</param>
    public ServiceBuilder BackendAtSamePort(string address, int weight = 1)
    {
        _backends.Add(new BackendSpec { Address = TextReading.Address(address, $"{_path}.backends[{_backends.Count}].address", _errors), Port = 0, Weight = weight });
        return this;
    }

    internal ServiceSpec Build() => _spec with { Backends = [.. _backends] };

    private ServiceBuilder WithLast(Func<BackendSpec, BackendSpec> change)
    {
        if (_backends.Count == 0)
        {
            throw new InvalidOperationException("There is no backend yet that this could be said of; add it first.");
        }

        _backends[^1] = change(_backends[^1]);
        return this;
    }

    private ServiceBuilder With(ServiceSpec spec)
    {
        _spec = spec;
        return this;
    }

    private ushort ReadPort(int port, string path)
    {
        if (port is > 0 and <= ushort.MaxValue)
        {
            return (ushort)port;
        }

        _errors.Add(new ConfigurationError(path, "is not a port from 1 to 65535", port.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        return 0;
    }
}
