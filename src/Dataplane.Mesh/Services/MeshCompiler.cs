using System.Globalization;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Hashing;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Names;
using Dataplane.Mesh.Sources;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>Makes of a mesh and what its sources say the services and names of an engine. The same on every gateway that has the same input.</summary>
internal sealed class MeshCompiler
{
    private readonly MeshSpec _mesh;
    private readonly HashSet<IpAddress> _own;
    private readonly List<ServiceSpec> _services = [];
    private readonly List<int> _owners = [];
    private readonly List<MeshPortSpec> _ports = [];
    private readonly List<CarriedPort> _carried = [];
    private IReadOnlyDictionary<string, ushort> _relayPorts = new Dictionary<string, ushort>();
    private readonly Dictionary<(IpAddress, ushort, byte), string> _taken = [];
    private readonly List<MeshServiceStatus> _status = [];
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);
    private readonly MeshZone _zone;
    private List<(MeshServiceSpec Service, string Source)> _wanted = [];

    private MeshCompiler(MeshSpec mesh, IEnumerable<IpAddress> own)
    {
        _mesh = mesh;
        _own = [.. own];
        _zone = new MeshZone(mesh, _keys);
    }

    /// <summary>Compiles.</summary>
    /// <param name="mesh">The mesh, without errors.</param>
    /// <param name="sources">What each source says, in the order of the configuration.</param>
    /// <param name="own">Addresses of the engine's interfaces, where no endpoint can be.</param>
    public static MeshTables Compile(MeshSpec mesh, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> sources, IEnumerable<IpAddress> own) =>
        new MeshCompiler(mesh, own).Compile(sources);

    private MeshTables Compile(IReadOnlyList<(string Name, SourceSnapshot Snapshot)> sources)
    {
        _wanted = [.. _mesh.Services.Select(service => (service, "configuration"))
            .Concat(sources.SelectMany(source => source.Snapshot.Services.Select(service => (service, source.Name))))
            .DistinctBy(pair => pair.Item1.Key, StringComparer.Ordinal).OrderBy(pair => pair.Item1.Key, StringComparer.Ordinal)];
        _keys.UnionWith(_wanted.Select(pair => pair.Service.Key));
        _relayPorts = _mesh.Relay is { } relay ? CarriedPort.Allocate(relay, _wanted.Select(pair => pair.Service).Where(IsCarried)) : _relayPorts;
        EndpointSet configured = [.. _mesh.Endpoints];
        var endpoints = new EndpointIndex([configured, .. sources.Select(source => source.Snapshot.Endpoints)], _own);
        var firsts = new List<int>(_wanted.Count + 1);
        Dictionary<string, List<IpAddress>> addresses = Allocate(_mesh.Addresses, HasOwnAddress, service => service.Addresses);
        Dictionary<string, List<IpAddress>> outside = Allocate(_mesh.LoadBalancers, service => service.Kind == MeshServiceKind.LoadBalancer, service => service.LoadBalancerAddresses);
        foreach ((MeshServiceSpec service, string source) in _wanted)
        {
            firsts.Add(_services.Count);
            Add(service, source, EndpointSelection.Of(service, endpoints), addresses.GetValueOrDefault(service.Key) ?? [], outside.GetValueOrDefault(service.Key) ?? []);
        }

        firsts.Add(_services.Count);
        return new MeshTables(_services, _owners, _carried, _zone.ToServer(), _status)
        {
            Wanted = [.. _wanted.Select(pair => pair.Service)],
            Ports = _ports,
            Firsts = firsts,
            Configured = configured,
        };
    }

    private static bool IsCarried(MeshServiceSpec service) => service.Tls == MeshServiceTls.Mutual && HasOwnAddress(service);

    private static bool HasOwnAddress(MeshServiceSpec service) => service.Kind is MeshServiceKind.ClusterIp or MeshServiceKind.NodePort or MeshServiceKind.LoadBalancer;

    /// <summary>Addresses by service: those it names, else one of each range.</summary>
    private Dictionary<string, List<IpAddress>> Allocate(IReadOnlyList<IpPrefix> ranges, Func<MeshServiceSpec, bool> wants, Func<MeshServiceSpec, IReadOnlyList<IpAddress>> named)
    {
        MeshServiceSpec[] wanting = [.. _wanted.Select(pair => pair.Service).Where(wants)];
        var result = wanting.Where(service => named(service).Count > 0).ToDictionary(service => service.Key, service => named(service).ToList(), StringComparer.Ordinal);
        HashSet<IpAddress> reserved = [.. result.Values.SelectMany(addresses => addresses), .. _own, .. _mesh.Dns?.Listen ?? [], .. _mesh.NodeAddresses];
        string[] others = [.. wanting.Where(service => !result.ContainsKey(service.Key)).Select(service => service.Key)];
        foreach (IpPrefix range in ranges)
        {
            foreach ((string key, IpAddress address) in VirtualAddresses.Allocate(range, reserved, others))
            {
                result[key] = [.. result.GetValueOrDefault(key) ?? [], address];
            }
        }

        return result;
    }

    private void Add(MeshServiceSpec service, string source, IReadOnlyList<MeshEndpointSpec> endpoints, List<IpAddress> addresses, List<IpAddress> outside)
    {
        IReadOnlyList<MeshEndpointSpec> usable = EndpointSelection.Usable(service, endpoints);
        var problems = new List<string>();
        if (HasOwnAddress(service) && addresses.Count == 0)
        {
            problems.Add("there is no address for it: mesh.addresses has no range, or no place left");
        }

        if (service.Kind == MeshServiceKind.LoadBalancer && outside.Count == 0)
        {
            problems.Add("there is no address for the outside: mesh.load_balancers has no range, or no place left");
        }

        if (HasOwnAddress(service))
        {
            foreach (MeshPortSpec port in service.Ports)
            {
                if (IsCarried(service))
                {
                    Carry(service, port, usable, problems);
                }

                addresses.ForEach(address => AddPort(service, port, address, port.Port, "", usable, problems));
                outside.ForEach(address => AddPort(service, port, address, port.Port, "lb", usable, problems));
                if (service.Kind is MeshServiceKind.NodePort or MeshServiceKind.LoadBalancer && (service.Kind == MeshServiceKind.NodePort || port.NodePort != 0))
                {
                    ushort number = port.NodePort != 0 ? port.NodePort : NodePortOf(service, port);
                    foreach (IpAddress node in _mesh.NodeAddresses)
                    {
                        AddPort(service, port, node, number, "node", usable, problems);
                    }
                }
            }
        }

        string dns = _zone.Add(service, addresses, outside, usable, problems);
        string[] ports = [.. service.Ports.Select(port => $"{port.Name} {port.Port}/{(port.Protocol == IpProtocols.Udp ? "udp" : "tcp")}".TrimStart())];
        _status.Add(new MeshServiceStatus(service.Name, service.Namespace, service.Kind, source, dns, addresses, outside, ports, usable.Count, endpoints, string.Join("; ", problems)));
    }

    private void AddPort(MeshServiceSpec service, MeshPortSpec port, IpAddress address, ushort number, string place, IReadOnlyList<MeshEndpointSpec> usable, List<string> problems)
    {
        if (!_taken.TryAdd((address, number, port.Protocol), service.Key))
        {
            problems.Add($"{address} port {number} is {_taken[(address, number, port.Protocol)]}'s already");
            return;
        }

        _owners.Add(_status.Count);
        _ports.Add(port);
        _services.Add(new ServiceSpec
        {
            Name = EngineNameOf(service, port, address, place),
            Address = address,
            Port = number,
            Protocol = port.Protocol,
            Balance = service.Balance,
            TableSize = _mesh.TableSize,
            Backends = IsCarried(service) ? RelayBackends(service, port, address.Family, problems) : EndpointSelection.Backends(service, port, address.Family, usable),
        });
    }

    /// <summary>Notes what relays must know of a port: that the endpoints themselves are not the engine's affair then.</summary>
    private void Carry(MeshServiceSpec service, MeshPortSpec port, IReadOnlyList<MeshEndpointSpec> usable, List<string> problems)
    {
        if (!SpiffePattern.TryParse(CarriedPort.IdentityOf(_mesh, service), out SpiffePattern? peer, out string problem))
        {
            problems.Add($"tls: mutual: the identity \"{CarriedPort.IdentityOf(_mesh, service)}\" {problem}; nobody is connected to it");
            return;
        }

        if (!_relayPorts.TryGetValue(CarriedPort.KeyOf(service, port), out ushort relayPort))
        {
            return;
        }

        _carried.Add(new CarriedPort(service, port, EngineNameOf(service, port, default, ""), relayPort, CarriedPort.ServerNameOf(_mesh, service, port), peer, []).With(usable));
    }

    /// <summary>The relay of the clients in place of the endpoints. When there is none for it, nobody: what is to be protected never goes in the clear.</summary>
    private BackendSpec[] RelayBackends(MeshServiceSpec service, MeshPortSpec port, IpFamily family, List<string> problems)
    {
        if (port.Protocol != IpProtocols.Tcp || !_relayPorts.TryGetValue(CarriedPort.KeyOf(service, port), out ushort relayPort))
        {
            problems.Add($"tls: mutual: there is no relay for port {port.Port} ({(_mesh.Relay is null ? "mesh.relay is missing" : "relays carry TCP")}); nobody is connected to it");
            return [];
        }

        BackendSpec[] relays = [.. _mesh.Relay!.Outbound.Where(address => address.Family == family).Select(address => new BackendSpec { Address = address, Port = relayPort })];
        if (relays.Length == 0)
        {
            problems.Add($"tls: mutual: mesh.relay.outbound has no {(family == IpFamily.V4 ? "IPv4" : "IPv6")} address");
        }

        return relays;
    }

    private static ushort NodePortOf(MeshServiceSpec service, MeshPortSpec port) =>
        (ushort)(30000 + (XxHash64.Hash(Encoding.UTF8.GetBytes($"{service.Key}/{port.Port}/{port.Protocol}")) % 2768));

    /// <summary>Name for counters: 32 characters at most, and another for each port and address.</summary>
    private static string EngineNameOf(MeshServiceSpec service, MeshPortSpec port, IpAddress address, string place)
    {
        const int MaxLength = 32, HashLength = 9;
        string name = service.Namespace == "default" ? service.Name : $"{service.Name}.{service.Namespace}";
        string whole = string.Join('.', new[]
        {
            name, port.Port.ToString(CultureInfo.InvariantCulture), port.Protocol == IpProtocols.Udp ? "udp" : "", place, address.IsIpv6 ? "v6" : "",
        }.Where(part => part.Length > 0));
        bool isUnique = service.Addresses.Count <= 1 && service.LoadBalancerAddresses.Count <= 1 && place != "node";
        if (whole.Length <= MaxLength && isUnique)
        {
            return whole;
        }

        uint hash = (uint)XxHash64.Hash(Encoding.UTF8.GetBytes($"{service.Key}/{whole}/{address}"));
        return $"{whole[..Math.Min(whole.Length, MaxLength - HashLength)]}-{hash:x8}";
    }
}
