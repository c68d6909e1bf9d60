using System.Security.Cryptography;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Nat;
using Dataplane.Native;
using Dataplane.Networks;
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

    /// <summary>A factory is compared by reference: the engine keeps a port open only while its description is the same.</summary>
    private readonly Dictionary<string, PortSpec> _ports = [];

    /// <summary>The engine's end of the link to the host, of a family; null when there is none.</summary>
    public IpAddress? EngineOnHostLink(IpFamily family) =>
        options.HostInterface.Length == 0 ? null
        : options.HostLinks.Where(link => link.Family == family).Select(link => (IpAddress?)IpAddress.FromBits(family, link.Address.Bits + 1)).FirstOrDefault();

    /// <summary>Who the networks' name servers ask for names of others.</summary>
    public IReadOnlyList<System.Net.IPEndPoint> Upstreams { get; set; } = [];

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

        ports.AddRange(networks.SelectMany(view => view.Endpoints.Select(endpoint => Port(PortName(view.Network, endpoint), () => EndpointPort(view.Network, endpoint)))));
        return new DataplaneSpec
        {
            Ports = ports,
            Interfaces = interfaces,
            Networks = [.. networks.Select(view => Network(view))],
            Names = [.. networks.Select(view => NetworkNames.ServerOf(view, Upstreams))],
            Routes = [.. Routes(hostAddresses)],
            Nat = options.Uplink.Length == 0 ? [] :
                [.. networks.Where(view => !view.Network.Internal).Select(view => new NatSpec { Inside = view.Network.Name, Outside = UplinkPort })],
            Services = [.. networks.Where(view => !view.Network.Internal).SelectMany(view => view.Endpoints).SelectMany(Services)],
        };
    }

    /// <summary>Forgets the ports of endpoints that are gone, so that one of the same name is opened anew.</summary>
    public void Forget(NetworkRecord network, EndpointRecord endpoint) => _ports.Remove(PortName(network, endpoint));

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

    private static string Short(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 6));

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
        Mac = options.UplinkKind == PortKind.AfPacket ? EndpointMac.Choose("uplink", options.Uplink) : null,
        Take = options.UplinkKind == PortKind.AfXdp
            ? TrafficRules.Create([.. OutsideAddresses.Select(address => new TrafficRule { To = IpPrefix.Host(address) })]) : [],
    };

    private static PortSpec EndpointPort(NetworkRecord network, EndpointRecord endpoint) => new()
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

    private static NetworkSpec Network(NetworkView view) => new()
    {
        Name = view.Network.Name,
        Subnets = [.. view.Network.Subnets.Select(subnet => IpPrefix.Parse(subnet.Subnet))],
        Gateways = [.. view.Network.Subnets.Select(subnet => IpAddress.Parse(subnet.Gateway))],
        Mtu = view.Network.Mtu,
        Internal = view.Network.Internal,
        Isolate = view.Network.Isolate,
        Reach = view.Network.Reach,
        Endpoints = [.. view.Endpoints.Select(endpoint => new EndpointSpec
        {
            Name = EndpointName(endpoint),
            Port = PortName(view.Network, endpoint),
            Mac = MacAddress.Parse(endpoint.Mac),
            Addresses = [.. endpoint.Addresses.Select(address => IpAddress.Parse(address))],
            Rate = endpoint.Rate is { } rate ? new RateSpec { In = rate.In, Out = rate.Out, InBurst = rate.InBurst, OutBurst = rate.OutBurst } : null,
        })],
    };

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

    private IEnumerable<ServiceSpec> Services(EndpointRecord endpoint)
    {
        foreach (PublishedPort port in endpoint.Ports)
        {
            foreach (IpAddress outside in OutsideAddresses.Where(address => IsOpenAt(port, address)))
            {
                if (endpoint.Addresses.Select(text => IpAddress.Parse(text)).FirstOrDefault(address => address.Family == outside.Family) is not { IsNone: false } inside)
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
