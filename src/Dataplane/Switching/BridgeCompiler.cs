using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Switching;

/// <summary>Makes networks of their descriptions. Control side; each endpoint costs the same however many there are.</summary>
internal static class BridgeCompiler
{
    /// <summary>What an endpoint may ask by DHCP: a client asks a few times a minute, and a few at once when it starts.</summary>
    private const int DhcpPerSecond = 10, DhcpBurst = 20;

    /// <summary>Makes the table, and appends an interface for each endpoint's port.</summary>
    public static BridgeTable Compile(DataplaneSpec spec, PortSet ports, IReadOnlyList<IpAddress> served, List<L3Interface> interfaces, BridgeTable? previous)
    {
        if (spec.Networks.Count == 0)
        {
            return BridgeTable.Empty;
        }

        var known = new Dictionary<(string, string, string), Station>();
        foreach (Station station in previous?.Stations ?? [])
        {
            known[(station.Network.Spec.Name, station.Spec.Name, station.Spec.Port)] = station;
        }

        Bridge[] networks = [.. spec.Networks.Select((network, index) => new Bridge(network, index, LinkSettings.Compile(network, spec.Names), Reaches(spec.Networks, network)))];
        List<Station> stations = [], remotes = [];
        var overlays = new List<Overlay>();
        foreach (Bridge network in networks)
        {
            L3Interface shared = Template(network.Spec, served);
            foreach (EndpointSpec endpoint in network.Spec.Endpoints)
            {
                Station station = Make(endpoint, network, known.GetValueOrDefault((network.Spec.Name, endpoint.Name, endpoint.Port)));
                int id = ports.IdOf(endpoint.Port);
                station.Interface = shared.ForStation(station, (short)interfaces.Count, (ushort)id, Math.Min(network.Spec.Mtu, ports.ById[id]!.Mtu));
                interfaces.Add(station.Interface);
                stations.Add(station);
            }

            if (network.Spec.Overlay is not null)
            {
                overlays.Add(OverlayCompiler.Compile(network, ports, shared, interfaces, remotes));
            }
        }

        return new BridgeTable(networks, [.. stations], [.. remotes], [.. overlays], ports.ById.Length);
    }

    /// <summary>Counters go on, and a bucket stays as full as it is while the limit is the same.</summary>
    private static Station Make(EndpointSpec spec, Bridge network, Station? before)
    {
        RateSpec? rate = spec.Rate;
        bool isSame = before is not null && before.Spec.Rate == rate;
        return new Station(spec, network, before)
        {
            Counters = before?.Counters ?? new StationCounters(),
            Advertisements = TimerOf(network.Spec.RouterAdvertisements, before, spec.Mac),
            DhcpLimit = network.Spec.Dhcp is null ? null : before?.DhcpLimit ?? new TokenBucket(DhcpPerSecond, DhcpBurst),
            SendLimit = isSame ? before!.SendLimit : rate?.Out is { } sent ? new RateLimiter(sent, rate.OutBurst) : null,
            ReceiveLimit = isSame ? before!.ReceiveLimit : rate?.In is { } received ? new RateLimiter(received, rate.InBurst) : null,
        };
    }

    /// <summary>What has changed is told soon (RFC 4861 6.2.4): a new timer begins at once.</summary>
    private static AdvertisementTimer? TimerOf(RouterAdvertisementSpec? spec, Station? before, MacAddress mac) =>
        spec is null ? null : before?.Advertisements is { } timer && timer.Spec == spec ? timer : new AdvertisementTimer(spec, mac.Bits * 0x9E37_79B9_7F4A_7C15);

    /// <summary>The gateway's addresses with the prefixes around them; the link-local one too with IPv6.</summary>
    public static IpPrefix[] AddressesOf(NetworkSpec network)
    {
        IEnumerable<IpPrefix> gateways = network.Subnets.Select(subnet => new IpPrefix(network.GatewayOf(subnet), subnet.Length));
        return network.Subnets.Any(subnet => subnet.Address.IsIpv6)
            ? [.. gateways, new IpPrefix(L3Interface.LinkLocalOf(network.GatewayMac), 64)]
            : [.. gateways];
    }

    private static bool[] Reaches(IReadOnlyList<NetworkSpec> all, NetworkSpec network) =>
        [.. all.Select(other => network.Reach.Contains(other.Name) || other.Reach.Contains(network.Name))];

    /// <summary>What the interfaces of all endpoints of a network share.</summary>
    private static L3Interface Template(NetworkSpec network, IReadOnlyList<IpAddress> served)
    {
        IpPrefix[] addresses = AddressesOf(network);
        return new L3Interface
        {
            Index = -1,
            Port = 0,
            PortName = "",
            Vlan = 0,
            Mac = network.GatewayMac,
            Mtu = network.Mtu,
            Addresses = addresses,
            V4 = addresses.Select(prefix => prefix.Address).FirstOrDefault(address => address.IsIpv4),
            V6 = addresses.Select(prefix => prefix.Address).FirstOrDefault(address => address.IsIpv6 && !address.IsLinkLocal),
            LinkLocal = addresses.Select(prefix => prefix.Address).FirstOrDefault(address => address.IsIpv6 && address.IsLinkLocal),
            Answered =
            [
                .. addresses.Select(prefix => prefix.Address), .. served.Where(address => network.Subnets.Any(subnet => subnet.Contains(address))),
            ],
        };
    }
}
