using Dataplane.Balancing;
using Dataplane.Bridging;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;
using Dataplane.Tunnels;

namespace Dataplane;

/// <summary>Builds an engine step by step; every error is reported at once by <see cref="Build"/>.</summary>
/// <remarks>Not safe for several threads at a time.</remarks>
public sealed class DataplaneBuilder
{
    private readonly List<ConfigurationError> _errors = [];
    private readonly List<PortSpec> _ports = [];
    private readonly List<InterfaceSpec> _interfaces = [];
    private readonly List<NeighbourSpec> _neighbours = [];
    private readonly List<RouteSpec> _routes = [];
    private readonly List<NatSpec> _nat = [];
    private readonly List<ServiceSpec> _services = [];
    private readonly List<NetworkSpec> _networks = [];
    private readonly List<BridgeSpec> _bridges = [];
    private readonly List<NameServerSpec> _names = [];
    private readonly List<(StagePosition, IStage)> _stages = [];
    private FilterSpec _filter = new();
    private EncapsulationSpec _encapsulation = new();
    private SiitSpec? _siit;
    private WorkerSpec _workers = new();
    private TimeProvider _timeProvider = TimeProvider.System;

    /// <summary>Starts from nothing.</summary>
    public DataplaneBuilder()
    {
    }

    /// <summary>Starts from a specification; what is added comes behind it.</summary>
    public DataplaneBuilder(DataplaneSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        _ports.AddRange(spec.Ports);
        _interfaces.AddRange(spec.Interfaces);
        _neighbours.AddRange(spec.Neighbours);
        _routes.AddRange(spec.Routes);
        _nat.AddRange(spec.Nat);
        _services.AddRange(spec.Services);
        _networks.AddRange(spec.Networks);
        _bridges.AddRange(spec.Bridges);
        _names.AddRange(spec.Names);
        _filter = spec.Filter;
        _workers = spec.Workers;
    }

    /// <summary>Adds a port.</summary>
    public DataplaneBuilder Port(string name, PortSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        _ports.Add(source.ToSpec(name));
        return this;
    }

    /// <summary>Gives the engine an address on a port, such as <c>198.51.100.2/24</c>.</summary>
    /// <param name="port">Name of the port.</param>
    /// <param name="address">Address with prefix length.</param>
    /// <param name="mac">Hardware address; null: the port's own.</param>
    /// <param name="vlan">802.1Q VLAN identifier; 0: untagged.</param>
    public DataplaneBuilder Interface(string port, string address, string? mac = null, int vlan = 0)
    {
        string path = $"interfaces[{_interfaces.Count}]";
        _interfaces.Add(new InterfaceSpec
        {
            Port = port,
            Address = ReadPrefix(address, $"{path}.address"),
            Mac = mac is null ? null : ReadMac(mac, $"{path}.mac"),
            Vlan = vlan,
        });
        return this;
    }

    /// <summary>Adds a neighbour that need not be asked for.</summary>
    public DataplaneBuilder Neighbour(string port, string address, string mac)
    {
        string path = $"neighbours[{_neighbours.Count}]";
        _neighbours.Add(new NeighbourSpec { Port = port, Address = ReadAddress(address, $"{path}.address"), Mac = ReadMac(mac, $"{path}.mac") });
        return this;
    }

    /// <summary>Adds a static route through one or several gateways that share the flows equally.</summary>
    public DataplaneBuilder Route(string to, params string[] via)
    {
        ArgumentNullException.ThrowIfNull(via);
        string path = $"routes[{_routes.Count}]";
        NextHopSpec[] hops = [.. via.Select((gateway, i) => new NextHopSpec { Address = ReadAddress(gateway, $"{path}.via[{i}]") })];
        _routes.Add(new RouteSpec { To = ReadPrefix(to, $"{path}.to"), Via = hops });
        return this;
    }

    /// <summary>Adds a route that refuses.</summary>
    public DataplaneBuilder RouteReject(string to, RouteReject reject)
    {
        _routes.Add(new RouteSpec { To = ReadPrefix(to, $"routes[{_routes.Count}].to"), Reject = reject });
        return this;
    }

    /// <summary>Adds filter rules and sets the default policy.</summary>
    public DataplaneBuilder Filter(Action<FilterBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var builder = new FilterBuilder(_filter, _errors);
        configure(builder);
        _filter = builder.Build();
        return this;
    }

    /// <summary>Adds source address translation for what comes by one port and leaves by another.</summary>
    /// <param name="inside">Port that the inside is behind.</param>
    /// <param name="outside">Port that leads outside.</param>
    /// <param name="pool">Addresses to take; none: those of the outside port's interface (masquerade).</param>
    public DataplaneBuilder Nat(string inside, string outside, params string[] pool)
    {
        ArgumentNullException.ThrowIfNull(pool);
        string path = $"nat[{_nat.Count}].pool";
        return Nat(new NatSpec { Inside = inside, Outside = outside, Pool = [.. pool.Select((address, index) => ReadAddress(address, $"{path}[{index}]"))] });
    }

    /// <summary>Adds a rule of source address translation.</summary>
    public DataplaneBuilder Nat(NatSpec rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        _nat.Add(rule);
        return this;
    }

    /// <summary>Adds a service over TCP, or another protocol chosen in <paramref name="configure"/>.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="address">Its address, or a prefix such as 203.0.113.0/24.</param>
    /// <param name="port">1 to 65535; more in <paramref name="configure"/>.</param>
    /// <param name="configure">Describes the rest.</param>
    public DataplaneBuilder Service(string name, string address, int port, Action<ServiceBuilder> configure) => AddService(name, address, port, configure);

    /// <summary>Adds a service with all ports, or those chosen in <paramref name="configure"/>.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="address">Its address, or a prefix such as 203.0.113.0/24.</param>
    /// <param name="configure">Describes the rest.</param>
    public DataplaneBuilder Service(string name, string address, Action<ServiceBuilder> configure) => AddService(name, address, null, configure);

    private DataplaneBuilder AddService(string name, string address, int? port, Action<ServiceBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        string path = $"services[{_services.Count}]";
        var builder = new ServiceBuilder(name, address, port, path, _errors);
        configure(builder);
        _services.Add(builder.Build());
        return this;
    }

    /// <summary>Says which hosts have an address in the other family, by which packets are translated without state.</summary>
    public DataplaneBuilder Siit(SiitSpec siit)
    {
        ArgumentNullException.ThrowIfNull(siit);
        _siit = siit;
        return this;
    }

    /// <summary>Says where packets inside packets come from and are taken out.</summary>
    public DataplaneBuilder Encapsulation(EncapsulationSpec encapsulation)
    {
        ArgumentNullException.ThrowIfNull(encapsulation);
        _encapsulation = encapsulation;
        return this;
    }

    /// <summary>Adds a network of endpoints with one subnet, and more in <paramref name="configure"/>.</summary>
    public DataplaneBuilder Network(string name, string subnet, Action<NetworkBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var builder = new NetworkBuilder(name, $"networks[{_networks.Count}]", _errors).Subnet(subnet);
        configure(builder);
        return Network(builder.Build());
    }

    /// <summary>Adds a network of endpoints.</summary>
    public DataplaneBuilder Network(NetworkSpec network)
    {
        ArgumentNullException.ThrowIfNull(network);
        _networks.Add(network);
        return this;
    }

    /// <summary>Adds a learning bridge between ports.</summary>
    public DataplaneBuilder Bridge(BridgeSpec bridge)
    {
        ArgumentNullException.ThrowIfNull(bridge);
        _bridges.Add(bridge);
        return this;
    }

    /// <summary>Adds a name server on the packet path.</summary>
    public DataplaneBuilder Names(NameServerSpec server)
    {
        ArgumentNullException.ThrowIfNull(server);
        _names.Add(server);
        return this;
    }

    /// <summary>Changes the worker's settings.</summary>
    public DataplaneBuilder Workers(Func<WorkerSpec, WorkerSpec> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        _workers = change(_workers);
        return this;
    }

    /// <summary>Adds a stage of the user's own.</summary>
    public DataplaneBuilder Stage(StagePosition position, IStage stage)
    {
        ArgumentNullException.ThrowIfNull(stage);
        _stages.Add((position, stage));
        return this;
    }

    /// <summary>Replaces the clock.</summary>
    public DataplaneBuilder UseTimeProvider(TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(timeProvider);
        _timeProvider = timeProvider;
        return this;
    }

    /// <summary>Checks everything and makes the engine; ports are opened by <see cref="DataplaneEngine.StartAsync(CancellationToken)"/>.</summary>
    /// <exception cref="ConfigurationException">Something is wrong; the exception holds every error.</exception>
    public DataplaneEngine Build() => new(ToSpec(), new DataplaneOptions { TimeProvider = _timeProvider, Stages = [.. _stages] });

    /// <summary>Checks everything and gives the specification.</summary>
    /// <exception cref="ConfigurationException">Something is wrong; the exception holds every error.</exception>
    public DataplaneSpec ToSpec()
    {
        var spec = new DataplaneSpec
        {
            Ports = [.. _ports],
            Interfaces = [.. _interfaces],
            Neighbours = [.. _neighbours],
            Routes = [.. _routes],
            Filter = _filter,
            Nat = [.. _nat],
            Siit = _siit,
            Services = [.. _services],
            Encapsulation = _encapsulation,
            Networks = [.. _networks],
            Bridges = [.. _bridges],
            Names = [.. _names],
            Workers = _workers,
        };

        // A value that could not be read stands in the specification as none; what the validator says of it would be noise.
        IEnumerable<ConfigurationError> others = SpecValidator.Validate(spec).Where(found => !_errors.Exists(error => error.Path == found.Path));
        ConfigurationError[] all = [.. _errors, .. others];
        return all.Length == 0 ? spec : throw new ConfigurationException(all);
    }

    private IpAddress ReadAddress(string text, string path) => TextReading.Address(text, path, _errors);

    private IpPrefix ReadPrefix(string text, string path) => TextReading.Prefix(text, path, _errors);

    private MacAddress ReadMac(string text, string path) => TextReading.Mac(text, path, _errors);
}
