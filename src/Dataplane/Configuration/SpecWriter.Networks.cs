using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Switching;

namespace Dataplane.Configuration;

/// <content>Networks and their endpoints.</content>
public static partial class SpecWriter
{
    private static ConfigNode Network(NetworkSpec network)
    {
        var defaults = new NetworkSpec { Name = "" };
        var map = new MappingWriter();
        map.Text("name", network.Name);
        map.Values("subnets", network.Subnets);
        map.Values("gateways", network.Gateways);
        map.Optional("mac", network.Mac);
        map.Number("mtu", network.Mtu, defaults.Mtu);
        map.Flag("internal", network.Internal);
        map.Flag("isolate", network.Isolate);
        map.List("reach", network.Reach, name => ConfigNode.Scalar(name, isQuoted: ConfigNode.Scalar(name).IsNull));
        map.Values("dns", network.Dns);
        map.List("search", network.Search, name => ConfigNode.Scalar(name, isQuoted: ConfigNode.Scalar(name).IsNull));
        if (network.RouterAdvertisements is { } advertisements)
        {
            map.Add("router_advertisements", RouterAdvertisements(advertisements));
        }

        if (network.Dhcp is { } dhcp)
        {
            map.Add("dhcp", Dhcp(dhcp));
        }

        map.List("endpoints", network.Endpoints, Endpoint);
        if (network.Overlay is { } overlay)
        {
            map.Add("overlay", Overlay(overlay));
        }

        return map.ToNode();
    }

    private static ConfigNode RouterAdvertisements(RouterAdvertisementSpec advertisements)
    {
        var defaults = new RouterAdvertisementSpec();
        var map = new MappingWriter();
        map.Duration("interval", advertisements.Interval, defaults.Interval);
        if (advertisements.Lifetime is { } lifetime)
        {
            map.Duration("lifetime", lifetime, TimeSpan.MaxValue);
        }

        map.Flag("managed", advertisements.Managed);
        map.Flag("other", advertisements.Other);
        map.Flag("autonomous", advertisements.Autonomous);
        return map.ToNode();
    }

    private static ConfigNode Dhcp(DhcpSpec dhcp)
    {
        var map = new MappingWriter();
        map.Duration("lease", dhcp.Lease, new DhcpSpec().Lease);
        map.List("routes", dhcp.Routes, DhcpRoute);
        return map.ToNode();
    }

    private static ConfigNode DhcpRoute(DhcpRouteSpec route)
    {
        var map = new MappingWriter();
        map.Value("to", route.To);
        map.Optional("via", route.Via);
        return map.ToNode();
    }

    private static ConfigNode Overlay(OverlaySpec overlay)
    {
        var map = new MappingWriter();
        map.Text("port", overlay.Port);
        map.Value("vni", overlay.Vni);
        if (!overlay.Local.IsNone)
        {
            map.Value("local", overlay.Local);
        }

        map.Number("udp_port", overlay.UdpPort, 4789);
        map.Values("peers", overlay.Peers);
        map.List("links", overlay.Links, OverlayLink);
        map.List("endpoints", overlay.Endpoints, RemoteEndpoint);
        return map.ToNode();
    }

    private static ConfigNode OverlayLink(OverlayLinkSpec link)
    {
        var map = new MappingWriter();
        map.Value("peer", link.Peer);
        map.Text("port", link.Port);
        return map.ToNode();
    }

    private static ConfigNode RemoteEndpoint(RemoteEndpointSpec endpoint)
    {
        var map = new MappingWriter();
        map.Text("name", endpoint.Name);
        map.Value("mac", endpoint.Mac);
        map.Values("addresses", endpoint.Addresses);
        map.Value("peer", endpoint.Peer);
        return map.ToNode();
    }

    private static ConfigNode Endpoint(EndpointSpec endpoint)
    {
        var map = new MappingWriter();
        map.Text("name", endpoint.Name);
        map.Text("port", endpoint.Port);
        map.Value("mac", endpoint.Mac);
        map.Values("addresses", endpoint.Addresses);
        if (endpoint.Rate is { } rate)
        {
            var limits = new MappingWriter();
            limits.Text("in", rate.In is { } received ? RateText.From(received) : "");
            limits.Optional("in_burst", rate.InBurst);
            limits.Text("out", rate.Out is { } sent ? RateText.From(sent) : "");
            limits.Optional("out_burst", rate.OutBurst);
            map.Add("rate", limits.ToNode());
        }

        return map.ToNode();
    }
}
