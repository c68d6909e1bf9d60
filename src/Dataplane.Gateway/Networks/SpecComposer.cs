using System.Security.Cryptography;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Gateway.Networks.Shared;
using Dataplane.Names;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Networks;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;

namespace Dataplane.Gateway.Networks;

/// <summary>Makes the engine's configuration from networks and endpoints. Nothing else decides what the engine forwards.</summary>
internal sealed class SpecComposer(ServeOptions options)
{
    public const string HostPort = "host";
    public const string UplinkPort = "uplink";

    /// <summary>
    /// What was made of each endpoint, and of each network. An endpoint that comes is worked out by itself; of those that are there nothing is made again. A factory is compared
    /// by reference as well: the engine keeps a port open only while its description is the same.
    /// </summary>
    private readonly Dictionary<(string Network, string Endpoint), EndpointParts> _endpoints = [];
    private readonly Dictionary<string, NetworkParts> _networks = [];
    private readonly Dictionary<string, PortSpec> _ports = [];

    /// <summary>The engine's end of the link to the host, of a family; null when there is none.</summary>
    public IpAddress? EngineOnHostLink(IpFamily family) =>
        options.HostInterface.Length == 0 ? null
        : options.HostLinks.Where(link => link.Family == family).Select(link => (IpAddress?)IpAddress.FromBits(family, link.Address.Bits + 1)).FirstOrDefault();

    /// <summary>Who the networks' name servers ask for names of others.</summary>
    public IReadOnlyList<System.Net.IPEndPoint> Upstreams { get; set; } = [];

    /// <summary>How many endpoints were worked out so far.</summary>
    public int EndpointsMade { get; private set; }

    /// <summary>The TLS links to other hosts; null: this host has none.</summary>
    public HostLinks? Links { get; set; }

    /// <summary>Where the tunnels of other hosts end.</summary>
    public IReadOnlyList<string> Peers { get; set; } = [];

    public DataplaneSpec Compose(IReadOnlyList<NetworkView> networks, IReadOnlyList<IpAddress> hostAddresses)
    {
        var ports = new List<PortSpec>();
        var interfaces = new List<InterfaceSpec>();
        if (options.HostInterface.Length > 0)
        {
            ports.Add(Port(HostPort, () => HostPortSpec()));
            interfaces.AddRange(options.HostLinks.Select(link => new InterfaceSpec
            {
                Port = HostPort,
                Address = new IpPrefix(IpAddress.FromBits(link.Family, link.Address.Bits + 1), link.Length),
            }));
        }

        if (options.Uplink.Length > 0)
        {
            ports.Add(Port(UplinkPort, () => UplinkSpec()));
            interfaces.AddRange(options.UplinkAddresses.Select(address => new InterfaceSpec { Port = UplinkPort, Address = address }));
        }

        NetworkParts[] parts = [.. networks.Select(PartsOf)];
        ports.AddRange(parts.SelectMany(network => network.Endpoints).Select(endpoint => endpoint.Port));
        IReadOnlyList<(string Host, System.Net.IPEndPoint Address, PortSpec Port)> links = networks.Any(view => IsByTls(view.Network)) ? Links?.Ports() ?? [] : [];
        ports.AddRange(links.Select(link => link.Port));
        Dictionary<string, OverlaySpec> overlays = networks.Where(view => IsShared(view.Network)).Select(view => (view.Network.Name, Overlay: OverlayOf(view, links)))
            .Where(each => each.Overlay is not null).ToDictionary(each => each.Name, each => each.Overlay!);
        ports.AddRange(networks.Where(view => overlays.ContainsKey(view.Network.Name)).Select(view => new PortSpec { Name = OverlayPort(view.Network), Kind = PortKind.Vxlan, Mtu = view.Network.Mtu }));
        HashSet<string> names = [.. networks.Select(view => view.Network.Name)];
        return new DataplaneSpec
        {
            Ports = ports,
            Interfaces = interfaces,
            Networks = [.. parts.Select(network => IsShared(network.View.Network) ? Shared(network, overlays.GetValueOrDefault(network.Spec.Name), names) : network.Spec)],
            Names = [.. parts.Select(network => network.Names)],
            Routes = [.. Routes(hostAddresses)],
            Nat = options.Uplink.Length == 0 ? [] :
                [.. networks.Where(view => !view.Network.Internal).Select(view => new NatSpec { Inside = view.Network.Name, Outside = UplinkPort })],
            Services = [.. parts.Where(network => !network.View.Network.Internal).SelectMany(network => network.Endpoints).SelectMany(endpoint => endpoint.Services)],
        };
    }

    /// <summary>Forgets the ports of endpoints that are gone, so that one of the same name is opened anew.</summary>
    public void Forget(NetworkRecord network, EndpointRecord endpoint) => _endpoints.Remove((network.Name, endpoint.Key));

    /// <summary>Forgets a network that is gone.</summary>
    public void Forget(NetworkRecord network) => _networks.Remove(network.Name);

    /// <summary>Name of an endpoint's port: 15 characters, whatever the container is called.</summary>
    public static string PortName(NetworkRecord network, EndpointRecord endpoint) => "ep-" + Short($"{network.Name}/{endpoint.Key}");

    /// <summary>Name of an endpoint in its network, at most 32 characters: the beginning of what it is called, and what makes it unique.</summary>
    public static string EndpointName(EndpointRecord endpoint)
    {
        string readable = new([.. (endpoint.Name.Length > 0 ? endpoint.Name : endpoint.Container).Where(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_').Take(19)]);
        return $"{readable}-{Short(endpoint.Key)}";
    }

    /// <summary>Addresses at which published ports are open in the engine itself.</summary>
    public IEnumerable<IpAddress> OutsideAddresses => options.UplinkAddresses.Select(prefix => prefix.Address);

    /// <summary>A word for a long one.</summary>
    public static string Short(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 6));

    private PortSpec Port(string name, Func<PortSpec> make)
    {
        if (!_ports.TryGetValue(name, out PortSpec? spec))
        {
            _ports[name] = spec = make();
        }

        return spec;
    }

    private PortSpec HostPortSpec() => new() { Name = HostPort, Kind = PortKind.Tap, Factory = new TapPortFactory(options.HostInterface) };

    private PortSpec UplinkSpec() => new()
    {
        Name = UplinkPort,
        Kind = options.UplinkKind,
        Interface = options.Uplink,

        // Behind AF_PACKET the kernel sees every frame too. Under an address of the engine's own none of them is for it.
        Mac = options.UplinkKind == PortKind.AfPacket ? EndpointMac.Choose("uplink", $"{options.Uplink} {string.Join(' ', options.UplinkAddresses)}") : null,
        Take = options.UplinkKind == PortKind.AfXdp
            ? TrafficRules.Create([.. OutsideAddresses.Select(address => new TrafficRule { To = IpPrefix.Host(address) })]) : [],
    };

    private static PortSpec EndpointPort(NetworkRecord network, EndpointRecord endpoint) => AttachKind.IsPair(endpoint.Attach)
        ? new PortSpec { Name = PortName(network, endpoint), Kind = AttachKind.PortOf(endpoint.Attach), Interface = PortName(network, endpoint) }
        : endpoint.Attach == AttachKind.Memif ? MemifPort(network, endpoint) : TapPort(network, endpoint);

    private static PortSpec MemifPort(NetworkRecord network, EndpointRecord endpoint) => new()
    {
        Name = PortName(network, endpoint),
        Kind = PortKind.Memif,
        Socket = endpoint.Socket,
        Role = PortRole.Server,
        Mtu = network.Mtu,
        Factory = new MemifPortFactory(endpoint.Socket, role: PortRole.Server)
        {
            Mtu = network.Mtu,

            // Who is to connect has it mounted; all others are kept out by the directory around its own.
            SocketMode = MemifSockets.SocketMode,
        },
    };

    private static PortSpec TapPort(NetworkRecord network, EndpointRecord endpoint) => new()
    {
        Name = PortName(network, endpoint),
        Kind = PortKind.Tap,
        Factory = new TapPortFactory(endpoint.Interface)
        {
            Options = new TapOptions
            {
                NetworkNamespace = endpoint.Namespace,
                HardwareAddress = MacAddress.Parse(endpoint.Mac).Bits,
                MtuBytes = network.Mtu,
                Offload = true,

                // The interface outlives the engine, with addresses, routes and connections: after a crash the next engine goes on with it.
                Persist = true,
            },
        },
    };

    private bool IsShared(NetworkRecord network) => network.Vni is not null && (IsByTls(network) ? Links is not null : !options.Tunnel.IsNone);

    private static bool IsByTls(NetworkRecord network) => network is { Vni: not null, Underlay: NetworkRecord.Tls };

    private static string OverlayPort(NetworkRecord network) => "vx-" + Short(network.Name);

    private OverlaySpec? OverlayOf(NetworkView view, IReadOnlyList<(string Host, System.Net.IPEndPoint Address, PortSpec Port)> links) =>
        !IsByTls(view.Network) ? OverlayByVxlan(view) : links.Count > 0 ? OverlayByLinks(view, links) : null;

    /// <summary>What is behind a host that there is no link to is not there for now.</summary>
    private static OverlaySpec OverlayByLinks(NetworkView view, IReadOnlyList<(string Host, System.Net.IPEndPoint Address, PortSpec Port)> links)
    {
        Dictionary<string, IpAddress> peers = links.ToDictionary(link => link.Host, link => IpAddress.Parse(link.Address.Address.ToString()));
        return new OverlaySpec
        {
            Port = OverlayPort(view.Network),
            Vni = view.Network.Vni!.Value,
            Links = [.. links.Select(link => new OverlayLinkSpec { Peer = peers[link.Host], Port = link.Port.Name })],
            Endpoints = [.. view.Elsewhere.Where(remote => peers.ContainsKey(remote.Host)).Select(remote => Remote(remote, peers[remote.Host]))],
        };
    }

    private OverlaySpec OverlayByVxlan(NetworkView view)
    {
        RemoteRecord[] known = [.. view.Elsewhere.Where(remote => remote.Tunnel.Length > 0)];
        return new OverlaySpec
        {
            Port = OverlayPort(view.Network),
            Vni = view.Network.Vni!.Value,
            Local = options.Tunnel,
            Peers = [.. Peers.Concat(known.Select(remote => remote.Tunnel)).Distinct().Select(text => IpAddress.Parse(text))
                .Where(peer => peer.Family == options.Tunnel.Family && peer != options.Tunnel)],
            Endpoints = [.. known.Select(remote => Remote(remote, IpAddress.Parse(remote.Tunnel)))],
        };
    }

    private static RemoteEndpointSpec Remote(RemoteRecord remote, IpAddress peer) => new()
    {
        Name = EndpointName(new EndpointRecord(remote.Container, remote.Interface) { Name = remote.Name }),
        Mac = MacAddress.Parse(remote.Mac),
        Addresses = [.. remote.Addresses.Select(address => IpAddress.Parse(address))],
        Peer = peer,
    };

    /// <summary>A network that hosts share: what others have of it, and nothing that is not there.</summary>
    private static NetworkSpec Shared(NetworkParts network, OverlaySpec? overlay, HashSet<string> all) => network.Spec with
    {
        Overlay = overlay,
        Reach = [.. network.Spec.Reach.Where(all.Contains)],
    };

    private NetworkParts PartsOf(NetworkView view)
    {
        if (_networks.TryGetValue(view.Network.Name, out NetworkParts? made) && ReferenceEquals(made.View, view) && made.Upstreams.SequenceEqual(Upstreams))
        {
            return made;
        }

        EndpointParts[] endpoints = [.. view.Endpoints.Select(endpoint => PartsOf(view.Network, endpoint))];
        var spec = new NetworkSpec
        {
            Name = view.Network.Name,
            Subnets = [.. view.Network.Subnets.Select(subnet => IpPrefix.Parse(subnet.Subnet))],
            Gateways = [.. view.Network.Subnets.Select(subnet => IpAddress.Parse(subnet.Gateway))],
            Mtu = view.Network.Mtu,
            Internal = view.Network.Internal,
            Isolate = view.Network.Isolate,
            Reach = view.Network.Reach,
            Search = view.Network.Search,
            RouterAdvertisements = view.Network.RouterAdvertisements ? new RouterAdvertisementSpec() : null,
            Dhcp = view.Network.Dhcp ? new DhcpSpec() : null,
            Endpoints = [.. endpoints.Select(endpoint => endpoint.Spec)],
        };
        NetworkZones zones = ZonesOf(view, endpoints, made);
        return _networks[view.Network.Name] = new NetworkParts(view, spec, NetworkNames.ServerOf(view.Network, zones.ToSpecs(), Upstreams), endpoints, Upstreams, zones);
    }

    /// <summary>The zones of a network, with what has changed since they were made.</summary>
    private static NetworkZones ZonesOf(NetworkView view, EndpointParts[] endpoints, NetworkParts? made)
    {
        // Of a network that was removed and made again nothing is known.
        made = made is not null && ReferenceEquals(made.View.Network, view.Network) ? made : null;
        NetworkZones zones = made?.Zones ?? new NetworkZones();
        (EndpointParts[] gone, EndpointParts[] come) = Differences(made?.Endpoints ?? [], endpoints);
        (RemoteRecord[] left, RemoteRecord[] arrived) = Differences(made?.View.Elsewhere ?? [], view.Elsewhere);
        foreach ((string zone, NameRecord record) in gone.SelectMany(endpoint => endpoint.Names).Concat(left.SelectMany(remote => NamesOf(view.Network, remote))))
        {
            zones.Remove(zone, record);
        }

        foreach ((string zone, NameRecord record) in come.SelectMany(endpoint => endpoint.Names).Concat(arrived.SelectMany(remote => NamesOf(view.Network, remote))))
        {
            zones.Add(zone, record);
        }

        return zones;
    }

    /// <summary>Which objects are not in a list any more, and which are new.</summary>
    private static (T[] Gone, T[] Come) Differences<T>(IReadOnlyList<T> before, IReadOnlyList<T> after)
        where T : class
    {
        HashSet<object> then = new(before, ReferenceEqualityComparer.Instance), now = new(after, ReferenceEqualityComparer.Instance);
        return ([.. before.Where(item => !now.Contains(item))], [.. after.Where(item => !then.Contains(item))]);
    }

    private static IReadOnlyList<(string Zone, NameRecord Record)> NamesOf(NetworkRecord network, RemoteRecord remote) => NetworkNames.RecordsOf(
        network, new EndpointRecord(remote.Container, remote.Interface) { Name = remote.Name, Aliases = remote.Aliases }, [.. remote.Addresses.Select(address => IpAddress.Parse(address))]);

    private EndpointParts PartsOf(NetworkRecord network, EndpointRecord endpoint)
    {
        _endpoints.TryGetValue((network.Name, endpoint.Key), out EndpointParts? made);
        if (made is not null && ReferenceEquals(made.Record, endpoint))
        {
            return made;
        }

        EndpointsMade++;
        IpAddress[] addresses = [.. endpoint.Addresses.Select(address => IpAddress.Parse(address))];
        MacAddress mac = MacAddress.Parse(endpoint.Mac);

        // The same interface, whatever else of the endpoint has changed, such as its published ports.
        bool isSamePort = made is not null && made.Record.Namespace == endpoint.Namespace && made.Record.Identity == endpoint.Identity && made.Spec.Mac == mac;
        return _endpoints[(network.Name, endpoint.Key)] = new EndpointParts(
            endpoint,
            isSamePort ? made!.Port : EndpointPort(network, endpoint),
            new EndpointSpec
            {
                Name = EndpointName(endpoint),
                Port = PortName(network, endpoint),
                Mac = mac,
                Addresses = addresses,
                Rate = endpoint.Rate is { } rate ? new RateSpec { In = rate.In, Out = rate.Out, InBurst = rate.InBurst, OutBurst = rate.OutBurst } : null,
            },
            [.. Services(endpoint, addresses)],
            NetworkNames.RecordsOf(network, endpoint, addresses));
    }

    /// <summary>What an endpoint means to the engine.</summary>
    private sealed record EndpointParts(EndpointRecord Record, PortSpec Port, EndpointSpec Spec, IReadOnlyList<ServiceSpec> Services, IReadOnlyList<(string Zone, NameRecord Record)> Names);

    /// <summary>What a network means to the engine, with all its endpoints.</summary>
    private sealed record NetworkParts(NetworkView View, NetworkSpec Spec, NameServerSpec Names, EndpointParts[] Endpoints, IReadOnlyList<System.Net.IPEndPoint> Upstreams, NetworkZones Zones);

    private IEnumerable<RouteSpec> Routes(IReadOnlyList<IpAddress> hostAddresses)
    {
        foreach (IpFamily family in (IpFamily[])[IpFamily.V4, IpFamily.V6])
        {
            IpPrefix all = family == IpFamily.V4 ? IpPrefix.AllV4 : IpPrefix.AllV6;
            IpAddress? host = options.HostInterface.Length == 0 ? null : options.HostLinks.Where(link => link.Family == family).Select(link => (IpAddress?)link.Address).FirstOrDefault();
            IpAddress? router = options.UplinkGateways.Where(address => address.Family == family).Select(address => (IpAddress?)address).FirstOrDefault();
            if (options.Uplink.Length == 0)
            {
                router = host;
            }
            else if (host is { } there)
            {
                // The host itself is behind its link, not out on the network that both are on.
                foreach (IpAddress address in hostAddresses.Where(address => address.Family == family && !OutsideAddresses.Contains(address)))
                {
                    yield return new RouteSpec { To = IpPrefix.Host(address), Via = [new NextHopSpec { Address = there }] };
                }
            }

            if (router is { } next)
            {
                yield return new RouteSpec { To = all, Via = [new NextHopSpec { Address = next }] };
            }
        }
    }

    private static bool IsOpenAt(PublishedPort port, IpAddress address) => port.HostAddress.Length == 0
        || (IpAddress.Parse(port.HostAddress) is var wanted && (address == wanted || (wanted.IsUnspecified && wanted.Family == address.Family)));

    private IEnumerable<ServiceSpec> Services(EndpointRecord endpoint, IpAddress[] addresses)
    {
        foreach (PublishedPort port in endpoint.Ports)
        {
            foreach (IpAddress outside in OutsideAddresses.Where(address => IsOpenAt(port, address)))
            {
                if (Array.Find(addresses, address => address.Family == outside.Family) is not { IsNone: false } inside)
                {
                    continue;
                }

                for (int i = 0; i < port.Count; i++)
                {
                    yield return new ServiceSpec
                    {
                        Name = $"{port.Protocol}-{port.HostPort + i}-{Short(outside.ToString())}",
                        Address = outside,
                        Port = (ushort)(port.HostPort + i),
                        Protocol = port.Protocol == "udp" ? (byte)17 : (byte)6,

                        // One backend needs no table.
                        Balance = BalancePolicy.RoundRobin,
                        Backends = [new BackendSpec { Address = inside, Port = (ushort)(port.Port + i) }],
                    };
                }
            }
        }
    }
}
