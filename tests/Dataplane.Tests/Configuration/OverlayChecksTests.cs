using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;

namespace Dataplane.Tests.Configuration;

/// <summary>What an overlay must be like, and what is said when it is not.</summary>
public class OverlayChecksTests
{
    private static readonly DataplaneSpec s_good = new()
    {
        Ports =
        [
            new PortSpec { Name = "wan" }, new PortSpec { Name = "a0" }, new PortSpec { Name = "vx0", Kind = PortKind.Vxlan, Mtu = 1450 }, new PortSpec { Name = "vx1", Kind = PortKind.Vxlan },
            new PortSpec { Name = "s0", Kind = PortKind.Stream, Endpoint = "198.51.100.3:7000" }, new PortSpec { Name = "s1", Kind = PortKind.Stream, Endpoint = "203.0.113.4:7000" },
        ],
        Interfaces = [new InterfaceSpec { Port = "wan", Address = IpPrefix.Parse("198.51.100.2/24") }],
        Networks =
        [
            new NetworkSpec
            {
                Name = "blue",
                Subnets = [IpPrefix.Parse("10.89.0.0/24")],
                Endpoints = [new EndpointSpec { Name = "a", Port = "a0", Mac = MacAddress.Parse("02:00:00:00:00:0a"), Addresses = [IpAddress.Parse("10.89.0.2")] }],
                Overlay = new OverlaySpec
                {
                    Port = "vx0",
                    Vni = 42,
                    Local = IpAddress.Parse("198.51.100.2"),
                    UdpPort = 8472,
                    Peers = [IpAddress.Parse("198.51.100.3"), IpAddress.Parse("203.0.113.4")],
                    Endpoints =
                    [
                        new RemoteEndpointSpec
                        {
                            Name = "b",
                            Mac = MacAddress.Parse("02:00:00:00:00:0b"),
                            Addresses = [IpAddress.Parse("10.89.0.3")],
                            Peer = IpAddress.Parse("203.0.113.4"),
                        },
                    ],
                },
            },
            new NetworkSpec
            {
                Name = "red",
                Subnets = [IpPrefix.Parse("10.90.0.0/24")],
                Overlay = new OverlaySpec { Port = "vx1", Vni = 43, Local = IpAddress.Parse("198.51.100.2") },
            },
        ],
    };

    private static readonly Dictionary<string, (DataplaneSpec Spec, string[] Errors)> s_bad = new()
    {
        ["no port"] = (Blue(blue => blue with { Port = "vx9" }), ["networks[0].overlay.port: \"vx9\": is not a port; the ports are wan, a0, vx0, vx1, s0, s1; did you mean \"vx0\"?"]),
        ["another kind of port"] = (Blue(blue => blue with { Port = "wan" }),
            ["networks[0].overlay.port: \"wan\": is not of kind vxlan; the way to other hosts is a port of that kind"]),
        ["port of another"] = (Blue(blue => blue with { Port = "vx1" }), ["networks[1].overlay.port: \"vx1\": is the port of networks[0].overlay.port already; each overlay has its own"]),
        ["port with an interface"] = (s_good with { Interfaces = [.. s_good.Interfaces, new InterfaceSpec { Port = "vx0", Address = IpPrefix.Parse("192.0.2.1/24") }] },
            ["networks[0].overlay.port: \"vx0\": has an interface; an overlay's port has its addresses from the network: remove one of the two"]),
        ["port of an endpoint here"] = (Endpoint(endpoint => endpoint with { Port = "vx1" }),
            [
                "networks[0].endpoints[0].port: \"vx1\": is of kind vxlan, which leads to endpoints at other hosts: list those under overlay",
                "networks[1].overlay.port: \"vx1\": is the port of networks[0].endpoints[0] already; each overlay has its own",
            ]),
        ["identifier"] = (Blue(blue => blue with { Vni = 0x100_0000 }),
            ["networks[0].overlay.vni: \"16777216\": is not a VXLAN network identifier from 1 to 16777215"]),
        ["identifier twice"] = (Blue(blue => blue with { Vni = 43, UdpPort = 4789 }),
            ["networks[1].overlay.vni: \"43\": is networks[0].overlay.vni already, at the same address and UDP port; each network has its own"]),
        ["local of nobody"] = (Blue(blue => blue with { Local = IpAddress.Parse("198.51.100.9") }),
            ["networks[0].overlay.local: \"198.51.100.9\": is not the address of an interface; tunnels end at one of the engine's own, and not at a link-local one"]),
        ["udp port of a service"] = (s_good with
        {
            Services = [new ServiceSpec { Name = "s", Address = IpAddress.Parse("198.51.100.2"), Port = 4789, Protocol = 17 }],
        },
            ["networks[1].overlay.udp_port: \"4789\": is that of services[0]; tunnels and a service cannot share a port"]),
        ["peer of another family"] = (Blue(blue => blue with { Peers = [.. blue.Peers, IpAddress.Parse("2001:db8::1")] }),
            ["networks[0].overlay.peers[2]: \"2001:db8::1\": is of another family than local"]),
        ["peer itself"] = (Blue(blue => blue with { Peers = [.. blue.Peers, blue.Local] }),
            ["networks[0].overlay.peers[2]: \"198.51.100.2\": is the engine's own address (interfaces[0])"]),
        ["peer twice"] = (Blue(blue => blue with { Peers = [.. blue.Peers, blue.Peers[0]] }), ["networks[0].overlay.peers[2]: \"198.51.100.3\": is listed twice"]),
        ["peer inside"] = (Blue(blue => blue with { Peers = [.. blue.Peers, IpAddress.Parse("10.90.0.7")] }),
            ["networks[0].overlay.peers[2]: \"10.90.0.7\": lies in the subnet of a network; tunnels end outside of what they carry"]),
        ["peer link-local"] = (Blue(blue => blue with { Peers = [.. blue.Peers, IpAddress.Parse("169.254.0.7")] }),
            ["networks[0].overlay.peers[2]: \"169.254.0.7\": is a link-local address, which says nothing of the link"]),
        ["links and tunnels"] = (Blue(blue => blue with { Links = [Link("198.51.100.3", "s0"), Link("203.0.113.4", "s1")] }),
            ["networks[0].overlay.local: \"198.51.100.2\": belongs to tunnels, and there are links: remove one of the two"]),
        ["links and peers"] = (Linked(blue => blue with { Peers = [IpAddress.Parse("198.51.100.3")] }),
            ["networks[0].overlay.peers: belongs to tunnels, and there are links: remove one of the two"]),
        ["link by another kind of port"] = (Linked(blue => blue with { Links = [Link("203.0.113.4", "wan")] }),
            ["networks[0].overlay.links[0].port: \"wan\": is not of kind stream; a link to another host is a port of that kind"]),
        ["link with an interface"] = (Linked(blue => blue) with { Interfaces = [.. s_good.Interfaces, new InterfaceSpec { Port = "s0", Address = IpPrefix.Parse("192.0.2.1/24") }] },
            ["networks[0].overlay.links[0].port: \"s0\": has an interface; a link carries the frames of networks and nothing else: remove one of the two"]),
        ["link twice"] = (Linked(blue => blue with { Links = [Link("203.0.113.4", "s0"), Link("203.0.113.4", "s0")] }),
            [
                "networks[0].overlay.links[1].peer: \"203.0.113.4\": is listed twice; each link leads to another host",
                "networks[0].overlay.links[1].port: \"s0\": is that of another link of this network; each host has its own",
            ]),
        ["link by the port of an endpoint"] = (Change(Linked(blue => blue), network => network with { Endpoints = [.. network.Endpoints.Select(endpoint => endpoint with { Port = "s1" })] }),
            ["networks[0].overlay.links[1].port: \"s1\": is the port of networks[0].endpoints[0] already"]),
        ["endpoint behind no link"] = (Linked(blue => blue with { Links = [Link("198.51.100.3", "s0")] }),
            ["networks[0].overlay.endpoints[0].peer: \"203.0.113.4\": is not among the peers of the overlay"]),
        ["endpoint behind nobody"] = (Remote(remote => remote with { Peer = IpAddress.Parse("198.51.100.9") }),
            ["networks[0].overlay.endpoints[0].peer: \"198.51.100.9\": is not among the peers of the overlay"]),
        ["name of one here"] = (Remote(remote => remote with { Name = "a" }),
            ["networks[0].overlay.endpoints[0].name: \"a\": is the name of networks[0].endpoints[0].name already; names are unique"]),
        ["mac of one here"] = (Remote(remote => remote with { Mac = MacAddress.Parse("02:00:00:00:00:0a") }),
            ["networks[0].overlay.endpoints[0].mac: \"02:00:00:00:00:0a\": is the address of networks[0].endpoints[0] already; each station of a network has its own"]),
        ["address of one here"] = (Remote(remote => remote with { Addresses = [IpAddress.Parse("10.89.0.2")] }),
            ["networks[0].overlay.endpoints[0].addresses[0]: \"10.89.0.2\": is networks[0].endpoints[0].addresses[0] already; each address belongs to one endpoint"]),
        ["nulls"] = (Blue(blue => blue with { Peers = null!, Endpoints = [null!] }),
            ["networks[0].overlay.peers: is null; an empty list is allowed", "networks[0].overlay.endpoints[0]: is null; leave it out"]),
    };

    public static TheoryData<string> Bad => [.. s_bad.Keys];

    [Fact]
    public void Validate_GoodOverlays_FindsNothingAndIsWrittenWhole()
    {
        Assert.Empty(SpecValidator.Validate(s_good));
        (DataplaneSpec read, IReadOnlyList<ConfigurationError> errors) = SpecReader.ReadAndValidate(SpecWriter.ToNode(s_good));
        Assert.Empty(errors);
        OverlaySpec overlay = read.Networks[0].Overlay!;
        Assert.Equal(("vx0", 42, 8472, "198.51.100.2"), (overlay.Port, overlay.Vni, overlay.UdpPort, overlay.Local.ToString()));
        Assert.Equal(["198.51.100.3", "203.0.113.4"], overlay.Peers.Select(peer => peer.ToString()));
        Assert.Equal(("b", "02:00:00:00:00:0b", "203.0.113.4"), (overlay.Endpoints[0].Name, overlay.Endpoints[0].Mac.ToString(), overlay.Endpoints[0].Peer.ToString()));
        Assert.Equal(4789, read.Networks[1].Overlay!.UdpPort);
        Assert.Equal(PortKind.Vxlan, read.Ports[2].Kind);
    }

    [Fact]
    public void Read_NetworkByLinks_IsReadAsItWasWritten()
    {
        (DataplaneSpec read, IReadOnlyList<ConfigurationError> errors) = SpecReader.ReadAndValidate(SpecWriter.ToNode(Linked(blue => blue)));
        Assert.Empty(errors);
        OverlaySpec overlay = read.Networks[0].Overlay!;
        Assert.True(overlay is { Local.IsNone: true, Peers: [] });
        Assert.Equal([Link("198.51.100.3", "s0"), Link("203.0.113.4", "s1")], overlay.Links);

        // Several networks go by one link, each under its own identifier.
        DataplaneSpec both = Linked(blue => blue);
        both = both with { Networks = [both.Networks[0], both.Networks[1] with { Overlay = both.Networks[0].Overlay! with { Port = "vx1", Vni = 43, Endpoints = [] } }] };
        Assert.Empty(SpecValidator.Validate(both));
        both = both with { Networks = [both.Networks[0], both.Networks[1] with { Overlay = both.Networks[1].Overlay! with { Vni = 42 } }] };
        Assert.Contains("networks[1].overlay.vni", Assert.Single(SpecValidator.Validate(both)).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void Validate_BadOverlay_SaysWhatAndWhere(string name)
    {
        (DataplaneSpec spec, string[] errors) = s_bad[name];
        Assert.Equal(string.Join('\n', errors), string.Join('\n', SpecValidator.Validate(spec)));
    }

    private static DataplaneSpec Blue(Func<OverlaySpec, OverlaySpec> change)
    {
        NetworkSpec blue = s_good.Networks[0];
        return s_good with { Networks = [blue with { Overlay = change(blue.Overlay! with { Endpoints = [] }) }, s_good.Networks[1]] };
    }

    private static OverlayLinkSpec Link(string peer, string port) => new() { Peer = IpAddress.Parse(peer), Port = port };

    /// <summary>The same network by links.</summary>
    private static DataplaneSpec Linked(Func<OverlaySpec, OverlaySpec> change) => Change(s_good, blue => blue with
    {
        Overlay = change(blue.Overlay! with { Local = default, UdpPort = 4789, Peers = [], Links = [Link("198.51.100.3", "s0"), Link("203.0.113.4", "s1")] }),
    });

    private static DataplaneSpec Change(DataplaneSpec spec, Func<NetworkSpec, NetworkSpec> change) => spec with { Networks = [change(spec.Networks[0]), .. spec.Networks.Skip(1)] };

    private static DataplaneSpec Remote(Func<RemoteEndpointSpec, RemoteEndpointSpec> change)
    {
        NetworkSpec blue = s_good.Networks[0];
        return s_good with { Networks = [blue with { Overlay = blue.Overlay! with { Endpoints = [change(blue.Overlay.Endpoints[0])] } }, s_good.Networks[1]] };
    }

    private static DataplaneSpec Endpoint(Func<EndpointSpec, EndpointSpec> change)
    {
        NetworkSpec blue = s_good.Networks[0];
        return s_good with { Networks = [blue with { Endpoints = [change(blue.Endpoints[0])] }, s_good.Networks[1]] };
    }
}
