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
/// <remarks>
/// Each service is worked out by itself, out of its specification, its endpoints and the addresses it got; what was worked out before stays, as the same object, where
/// none of that has changed and nothing of it was, or now is, left out for the sake of another service.
/// </remarks>
internal sealed partial class MeshCompiler
{
    private readonly MeshSpec _mesh;
    private readonly HashSet<IpAddress> _own;
    private Dictionary<(IpAddress, ushort, byte), string> _taken = [];
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);
    private readonly List<MeshPart> _parts = [];
    private IReadOnlyDictionary<string, ushort> _relayPorts = new Dictionary<string, ushort>();
    private List<(string Key, MeshServiceSpec Service, string Source)> _wanted = [];
    private MeshZone _zone = null!;

    // Of the service in hand.
    private readonly List<ServiceSpec> _services = [];
    private readonly List<CarriedPort> _carried = [];
    private bool _isHindered;

    private MeshCompiler(MeshSpec mesh, IEnumerable<IpAddress> own)
    {
        _mesh = mesh;
        _own = [.. own];
    }

    /// <summary>Compiles everything.</summary>
    /// <param name="mesh">The mesh, without errors.</param>
    /// <param name="sources">What each source says, in the order of the configuration.</param>
    /// <param name="own">Addresses of the engine's interfaces, where no endpoint can be.</param>
    public static MeshTables Compile(MeshSpec mesh, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> sources, IEnumerable<IpAddress> own) =>
        new MeshCompiler(mesh, own).Compile(sources, last: null, affected: new HashSet<int>(), isSameServices: false);

    /// <summary>Compiles what has changed: gives what compiling everything gives.</summary>
    /// <param name="mesh">The mesh that the last tables are of.</param>
    /// <param name="sources">What each source says now.</param>
    /// <param name="own">Addresses of the engine's interfaces, as they were for the last tables.</param>
    /// <param name="last">The last tables.</param>
    /// <param name="before">What each source said then.</param>
    public static MeshTables Compile(MeshSpec mesh, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> sources, IEnumerable<IpAddress> own, MeshTables last,
        IReadOnlyList<(string Name, SourceSnapshot Snapshot)> before)
    {
        IReadOnlySet<int>? affected = EndpointChanges.Find(last, before, sources);
        if (affected is null)
        {
            return Compile(mesh, sources, own);
        }

        bool isSameServices = before.Zip(sources).All(pair => AreSame(pair.First.Snapshot.Services, pair.Second.Snapshot.Services));
        MeshTables? only = !last.AreIndependent ? null
            : isSameServices ? new MeshCompiler(mesh, own).CompileOnly(affected, sources, last)
            : new MeshCompiler(mesh, own).CompileChanged(affected, sources, last, before);
        return only ?? new MeshCompiler(mesh, own).Compile(sources, last, affected, isSameServices);
    }

    /// <summary>Works out those services whose endpoints have changed, and looks at no other: nothing is left out for the sake of another.</summary>
    /// <returns>Null when one of them has a new name that is an alias: which of the two stays depends on both.</returns>
    private MeshTables? CompileOnly(IReadOnlySet<int> affected, IReadOnlyList<(string Name, SourceSnapshot Snapshot)> sources, MeshTables last)
    {
        var endpoints = new EndpointIndex([last.Configured, .. sources.Select(source => source.Snapshot.Endpoints)], _own);
        (_relayPorts, _zone) = (last.RelayPorts, new MeshZone(_mesh, key => last.Find(key) >= 0, aliases: []));
        _parts.AddRange(last.Parts);
        MeshPlan? plan = last.TakePlan();
        if (!TryWorkAffected(affected, endpoints, last, plan, out bool haveNamesChanged))
        {
            return null;
        }

        return Join(last.Configured, plan, last, haveNamesChanged, isSame: true);
    }

    /// <summary>Works out services again whose endpoints have changed, in their places.</summary>
    /// <returns>False when one of them has a new name that is an alias.</returns>
    private bool TryWorkAffected(IReadOnlySet<int> affected, EndpointIndex endpoints, MeshTables last, MeshPlan? plan, out bool haveNamesChanged)
    {
        haveNamesChanged = false;
        foreach (int at in affected)
        {
            MeshPart before = _parts[at];
            _parts[at] = Work(before.Key, before.Wanted, before.Source, EndpointSelection.Of(before.Wanted, endpoints), before.Addresses, before.Outside, before);
            if (ReferenceEquals(before.Names, _parts[at].Names))
            {
                continue;
            }

            haveNamesChanged = true;
            plan?.ChangeReverse(before, _parts[at]);
            if (MeetsAlias(last, _parts[at]))
            {
                return false;
            }
        }

        return true;
    }

    private static bool MeetsAlias(MeshTables last, MeshPart part) =>
        last.Aliases.Count > 0 && part.Names.Records.Any(records => records.Any(record => last.Aliases.Contains(DomainName.Normalise(record.Name))));

    private MeshTables Compile(IReadOnlyList<(string Name, SourceSnapshot Snapshot)> sources, MeshTables? last, IReadOnlySet<int> affected, bool isSameServices)
    {
        (string Key, MeshServiceSpec, string)[] all = last is not null && isSameServices ? [.. last.Parts.Select(part => (part.Key, part.Wanted, part.Source))]
            : [.. _mesh.Services.Select(service => (service.Key, service, "configuration"))
                .Concat(sources.SelectMany(source => source.Snapshot.Services.Select(service => (service.Key, service, source.Name))))];
        bool isSame = last is not null && isSameServices;
        _wanted = isSame ? [.. all] : [.. all.DistinctBy(wanted => wanted.Key, StringComparer.Ordinal).OrderBy(wanted => wanted.Key, StringComparer.Ordinal)];
        _keys.UnionWith(isSame ? [] : _wanted.Select(wanted => wanted.Key));
        _relayPorts = isSame ? last!.RelayPorts : _mesh.Relay is { } relay ? CarriedPort.Allocate(relay, _wanted.Select(wanted => wanted.Service).Where(IsCarried)) : _relayPorts;
        MeshPlan? known = isSame ? last!.TakePlan() : null;
        IEnumerable<MeshServiceSpec> services = _wanted.Select(wanted => wanted.Service);
        var plan = new MeshPlan
        {
            Addresses = known?.Addresses ?? new AddressPlan(_mesh.Addresses, NobodysAddresses(), services, HasOwnAddress, service => service.Addresses),
            Outside = known?.Outside ?? new AddressPlan(_mesh.LoadBalancers, NobodysAddresses(), services, service => service.Kind == MeshServiceKind.LoadBalancer, service => service.LoadBalancerAddresses),
            Taken = _taken,
            Aliases = known?.Aliases ?? [.. services.SelectMany(MeshPlan.AliasesOf)],
            HasHidden = known?.HasHidden ?? (isSame || all.Length > _wanted.Count),
        };
        EndpointSet configured = last?.Configured ?? [.. _mesh.Endpoints];
        var endpoints = new EndpointIndex([configured, .. sources.Select(source => source.Snapshot.Endpoints)], _own);
        _zone = new MeshZone(_mesh, isSame ? key => last!.Find(key) >= 0 : _keys.Contains, [.. _wanted.Select(wanted => wanted.Service).Where(service => service.Kind == MeshServiceKind.ExternalName)]);
        bool haveNamesChanged = last is null || last.Parts.Count != _wanted.Count;
        int at = 0;
        foreach ((string key, MeshServiceSpec service, string source) in _wanted)
        {
            // Both are in the order of their keys.
            while (last is not null && at < last.Parts.Count && string.CompareOrdinal(last.Parts[at].Key, key) < 0)
            {
                at++;
            }

            MeshPart? before = last is not null && at < last.Parts.Count && last.Parts[at].Key == key ? last.Parts[at] : null;
            IReadOnlyList<IpAddress> own = plan.Addresses.Of(service, key), others = plan.Outside.Of(service, key);
            bool isKept = before is not null && !affected.Contains(at) && ReferenceEquals(before.Wanted, service) && before.Source == source
                && (isSame || (before.Addresses.SequenceEqual(own) && before.Outside.SequenceEqual(others) && service.Aliases.Count == 0 && HasSameRelayPorts(service, last!)));
            if (!isKept || !TryKeep(before!))
            {
                _parts.Add(Work(key, service, source, EndpointSelection.Of(service, endpoints), own, others, before));
            }

            haveNamesChanged |= !ReferenceEquals(before?.Names, _parts[^1].Names);
        }

        return Join(configured, plan, last, haveNamesChanged, isSame);
    }

    private MeshTables Join(EndpointSet configured, MeshPlan? plan, MeshTables? last, bool haveNamesChanged, bool isSame)
    {
        var services = new List<ServiceSpec>(_parts.Count);
        var owners = new List<int>(_parts.Count);
        var carried = new List<CarriedPort>();
        var status = new MeshServiceStatus[_parts.Count];
        for (int at = 0; at < status.Length; at++)
        {
            MeshPart part = _parts[at];
            for (int service = 0; service < part.Services.Count; service++)
            {
                services.Add(part.Services[service]);
                owners.Add(at);
            }

            status[at] = part.Status;
            carried.AddRange(part.Carried);
        }

        var tables = new MeshTables(services, owners, carried, haveNamesChanged ? _zone.ToServer(_parts, last?.Names, plan) : last!.Names, status)
        {
            Parts = _parts,
            Configured = configured,
            RelayPorts = _relayPorts,
            Plan = plan,
        };
        return isSame ? tables.SharingPlacesOf(last!) : tables;
    }

    private static bool AreSame(IReadOnlyList<MeshServiceSpec> one, IReadOnlyList<MeshServiceSpec> other) =>
        ReferenceEquals(one, other) || (one.Count == other.Count && one.Zip(other).All(pair => ReferenceEquals(pair.First, pair.Second)));

    private bool HasSameRelayPorts(MeshServiceSpec service, MeshTables last) =>
        !IsCarried(service) || service.Ports.All(port => _relayPorts.GetValueOrDefault(CarriedPort.KeyOf(service, port)) == last.RelayPorts.GetValueOrDefault(CarriedPort.KeyOf(service, port)));

    /// <summary>Takes what was worked out before, if nothing stands in its way.</summary>
    private bool TryKeep(MeshPart part)
    {
        if (part.IsHindered || part.Services.Any(service => _taken.ContainsKey((service.Address, service.Port, service.Protocol))) || !_zone.TryKeep(part.Names))
        {
            return false;
        }

        foreach (ServiceSpec service in part.Services)
        {
            _taken.Add((service.Address, service.Port, service.Protocol), part.Key);
        }

        _parts.Add(part);
        return true;
    }

    private static bool IsCarried(MeshServiceSpec service) => service.Tls == MeshServiceTls.Mutual && HasOwnAddress(service);

    private static bool HasOwnAddress(MeshServiceSpec service) => service.Kind is MeshServiceKind.ClusterIp or MeshServiceKind.NodePort or MeshServiceKind.LoadBalancer;

    /// <summary>Addresses that no service can be given.</summary>
    private IEnumerable<IpAddress> NobodysAddresses() => _own.Concat(_mesh.Dns?.Listen ?? []).Concat(_mesh.NodeAddresses);

    private MeshPart Work(string key, MeshServiceSpec service, string source, IReadOnlyList<MeshEndpointSpec> endpoints, IReadOnlyList<IpAddress> addresses,
        IReadOnlyList<IpAddress> outside, MeshPart? before)
    {
        _services.Clear();
        _carried.Clear();
        _isHindered = false;
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

                foreach (IpAddress address in addresses)
                {
                    AddPort(service, port, address, port.Port, "", usable, problems);
                }

                foreach (IpAddress address in outside)
                {
                    AddPort(service, port, address, port.Port, "lb", usable, problems);
                }

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

        (MeshNames names, bool areNamesHindered) = _zone.Of(service, addresses, outside, usable, problems);
        string[] ports = [.. service.Ports.Select(port => $"{port.Name} {port.Port}/{(port.Protocol == IpProtocols.Udp ? "udp" : "tcp")}".TrimStart())];
        return new MeshPart(key, service, source, addresses, outside)
        {
            Services = [.. _services.Select((built, at) => Like(built, before?.Services.ElementAtOrDefault(at)))],
            Carried = [.. _carried],
            Names = before is null ? names : names.Like(before.Names),
            Status = new MeshServiceStatus(service.Name, service.Namespace, service.Kind, source, names.DnsName, addresses, outside, ports, usable.Count, endpoints, string.Join("; ", problems)),
            IsHindered = _isHindered || areNamesHindered,
        };
    }

    /// <summary>The object that was there before, when it says the same.</summary>
    private static ServiceSpec Like(ServiceSpec built, ServiceSpec? before) =>
        before is not null && built.Backends.SequenceEqual(before.Backends) && built with { Backends = before.Backends } == before ? before : built;

    private void AddPort(MeshServiceSpec service, MeshPortSpec port, IpAddress address, ushort number, string place, IReadOnlyList<MeshEndpointSpec> usable, List<string> problems)
    {
        if (!_taken.TryAdd((address, number, port.Protocol), service.Key))
        {
            _isHindered = true;
            problems.Add($"{address} port {number} is {_taken[(address, number, port.Protocol)]}'s already");
            return;
        }

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
