using System.Numerics;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Switching;

namespace Dataplane.Configuration;

/// <content>Networks and their endpoints.</content>
public sealed partial class SpecReader
{
    private NetworkSpec ReadNetwork(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Network, _errors);
        var defaults = new NetworkSpec { Name = "" };
        return new NetworkSpec
        {
            Name = map.Text("name", "a name"),
            Subnets = [.. map.Items("subnets", "each prefix").Select(item => ReadSubnet(item.Node, item.Path))],
            Gateways = [.. map.Items("gateways", "each address").Select(item => ReadListedAddress(item.Node, item.Path))],
            Mac = map.OptionalMac("mac"),
            Mtu = (int)map.Integer("mtu", SpecLimits.Mtu, defaults.Mtu),
            Internal = map.Flag("internal"),
            Isolate = map.Flag("isolate"),
            Reach = [.. map.Items("reach", "each name").Select(item => ReadListedText(item.Node, item.Path, "the name of a network"))],
            Dns = [.. map.Items("dns", "each address").Select(item => ReadListedAddress(item.Node, item.Path))],
            Search = [.. map.Items("search", "each domain").Select(item => ReadListedText(item.Node, item.Path, "a domain"))],
            RouterAdvertisements = map.Value("router_advertisements") is { } advertisements ? ReadRouterAdvertisements(advertisements, map.PathOf("router_advertisements")) : null,
            Dhcp = map.Value("dhcp") is { } dhcp ? ReadDhcp(dhcp, map.PathOf("dhcp")) : null,
            Endpoints = [.. map.Items("endpoints", "each endpoint").Select(item => ReadEndpoint(item.Node, item.Path))],
            Overlay = map.Value("overlay") is { } overlay ? ReadOverlay(overlay, map.PathOf("overlay")) : null,
        };
    }

    private RouterAdvertisementSpec ReadRouterAdvertisements(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.RouterAdvertisements, _errors);
        return new RouterAdvertisementSpec
        {
            Interval = ReadDuration(map, "interval", SpecLimits.AdvertisementInterval) ?? new RouterAdvertisementSpec().Interval,
            Lifetime = ReadDuration(map, "lifetime", SpecLimits.RouterLifetime),
            Managed = map.Flag("managed"),
            Other = map.Flag("other"),
            Autonomous = map.Flag("autonomous"),
        };
    }

    private DhcpSpec ReadDhcp(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Dhcp, _errors);
        return new DhcpSpec
        {
            Lease = ReadDuration(map, "lease", SpecLimits.DhcpLease) ?? new DhcpSpec().Lease,
            Routes = [.. map.Items("routes", "each route").Select(item => ReadDhcpRoute(item.Node, item.Path))],
        };
    }

    private DhcpRouteSpec ReadDhcpRoute(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.DhcpRoute, _errors);
        return new DhcpRouteSpec { To = map.Prefix("to", "a prefix such as 10.0.0.0/8"), Via = map.OptionalAddress("via") };
    }

    private OverlaySpec ReadOverlay(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Overlay, _errors);
        return new OverlaySpec
        {
            Port = map.Text("port", "the name of a port"),
            Vni = (int)map.RequiredInteger("vni", SpecLimits.Vni),
            Local = map.OptionalAddress("local") ?? default,
            UdpPort = (int)map.Integer("udp_port", SpecLimits.TransportPort, 4789),
            Peers = [.. map.Items("peers", "each address").Select(item => ReadListedAddress(item.Node, item.Path))],
            Links = [.. map.Items("links", "each link").Select(item => ReadOverlayLink(item.Node, item.Path))],
            Endpoints = [.. map.Items("endpoints", "each endpoint").Select(item => ReadRemoteEndpoint(item.Node, item.Path))],
        };
    }

    private OverlayLinkSpec ReadOverlayLink(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.OverlayLink, _errors);
        return new OverlayLinkSpec { Peer = map.Address("peer"), Port = map.Text("port", "the name of a port") };
    }

    private RemoteEndpointSpec ReadRemoteEndpoint(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.RemoteEndpoint, _errors);
        return new RemoteEndpointSpec
        {
            Name = map.Text("name", "a name"),
            Mac = map.Mac("mac"),
            Addresses = [.. map.Items("addresses", "each address").Select(item => ReadListedAddress(item.Node, item.Path))],
            Peer = map.Address("peer"),
        };
    }

    private EndpointSpec ReadEndpoint(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Endpoint, _errors);
        return new EndpointSpec
        {
            Name = map.Text("name", "a name"),
            Port = map.Text("port", "the name of a port"),
            Mac = map.Mac("mac"),
            Addresses = [.. map.Items("addresses", "each address").Select(item => ReadListedAddress(item.Node, item.Path))],
            Rate = map.Value("rate") is { } rate ? ReadRate(rate, map.PathOf("rate")) : null,
        };
    }

    private RateSpec ReadRate(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Rate, _errors);
        return new RateSpec
        {
            In = ReadBitRate(map, "in"),
            Out = ReadBitRate(map, "out"),
            InBurst = map.OptionalInteger("in_burst", SpecLimits.BurstBytes),
            OutBurst = map.OptionalInteger("out_burst", SpecLimits.BurstBytes),
        };
    }

    private static long? ReadBitRate(in MappingReader map, string key)
    {
        if (map.Scalar(key, null, "a rate") is not { } text)
        {
            return null;
        }

        if (!RateText.TryRead(text, out BigInteger rate))
        {
            map.Error(key, RateText.Problem, text);
        }
        else if (rate < SpecLimits.BitRate.Min || rate > SpecLimits.BitRate.Max)
        {
            map.Error(key, SpecLimits.BitRateProblem, text);
        }
        else
        {
            return (long)rate;
        }

        return null;
    }

    private IpPrefix ReadSubnet(ConfigNode node, string path) =>
        ReadListedText(node, path, "a prefix such as 10.89.0.0/24") is { Length: > 0 } text ? TextReading.Prefix(text, path, _errors) : default;

    private IpAddress ReadListedAddress(ConfigNode node, string path) =>
        ReadListedText(node, path, "an address") is { Length: > 0 } text ? TextReading.Address(text, path, _errors) : default;

    /// <summary>An element of a list that is one text.</summary>
    private string ReadListedText(ConfigNode node, string path, string needed)
    {
        if (node is { Kind: ConfigNodeKind.Scalar, IsNull: false })
        {
            return node.Text;
        }

        _errors.Add(new ConfigurationError(path, $"is {MappingReader.KindOf(node)} where {needed} is needed{MappingReader.QuoteHint(node)}"));
        return "";
    }
}
