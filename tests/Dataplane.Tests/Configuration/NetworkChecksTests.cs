using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;

namespace Dataplane.Tests.Configuration;

/// <summary>What a network must be like, and what is said when it is not.</summary>
public class NetworkChecksTests
{
    private static readonly DataplaneSpec s_good = new()
    {
        Ports = [.. new[] { "wan", "a0", "b0", "c0" }.Select(name => new PortSpec { Name = name })],
        Interfaces = [new InterfaceSpec { Port = "wan", Address = IpPrefix.Parse("198.51.100.2/24") }],
        Nat = [new NatSpec { Inside = "blue", Outside = "wan" }],
        Networks =
        [
            new NetworkSpec
            {
                Name = "blue",
                Subnets = [IpPrefix.Parse("10.89.0.0/24"), IpPrefix.Parse("fd00:89::/64")],
                Gateways = [IpAddress.Parse("10.89.0.254")],
                Reach = ["red"],
                Endpoints =
                [
                    Endpoint("a", "a0", "02:00:00:00:00:0a", "10.89.0.2", "fd00:89::2") with
                    {
                        Rate = new RateSpec { In = 1_000_000, InBurst = 1_600, Out = 1_000_000_000_000 },
                    },
                    Endpoint("b", "b0", "02:00:00:00:00:0b", "10.89.0.1"),
                ],
            },
            new NetworkSpec
            {
                Name = "red",
                Subnets = [IpPrefix.Parse("10.90.0.0/30")],
                Endpoints = [Endpoint("a", "c0", "02:00:00:00:00:0a", "10.90.0.2")],
            },
        ],
    };

    private static readonly Dictionary<string, (DataplaneSpec Spec, string Error)> s_bad = new()
    {
        ["null"] = (s_good with { Networks = [.. s_good.Networks, null!] }, "networks[2]: is null; leave it out"),
        ["name twice"] = (Red(red => red with { Name = "blue", Endpoints = [] }), "networks[1].name: \"blue\": is the name of networks[0].name already; names are unique"),
        ["name of a port"] = (s_good with { Ports = [.. s_good.Ports, new PortSpec { Name = "red" }] }, "networks[1].name: \"red\": is the name of a port already; rules name both"),
        ["no subnet"] = (Red(red => red with { Subnets = [], Endpoints = [] }), "networks[1].subnets: is missing: at least one prefix such as 10.89.0.0/24 is needed"),
        ["host bits"] = (Red(red => red with { Subnets = [IpPrefix.Parse("10.90.0.1/30")] }),
            "networks[1].subnets[0]: \"10.90.0.1/30\": has bits set behind its length; the prefix is 10.90.0.0/30"),
        ["no room"] = (Red(red => red with { Subnets = [IpPrefix.Parse("10.90.0.2/31")], Endpoints = [] }),
            "networks[1].subnets[0]: \"10.90.0.2/31\": has a length that is not 4 to 30, with which a gateway and hosts fit in"),
        ["multicast"] = (Red(red => red with { Subnets = [IpPrefix.Parse("ff02::/64")], Endpoints = [] }), "networks[1].subnets[0]: \"ff02::/64\": is not a range of addresses that hosts may have"),
        ["link-local"] = (Red(red => red with { Subnets = [IpPrefix.Parse("fe80::/64")], Endpoints = [] }), "networks[1].subnets[0]: \"fe80::/64\": is link-local, which every network is anyway"),
        ["overlap of two networks"] = (Red(red => red with { Subnets = [IpPrefix.Parse("10.89.0.128/25")], Endpoints = [] }),
            "networks[1].subnets[0]: \"10.89.0.128/25\": overlaps 10.89.0.0/24 of networks[0].subnets[0] (network blue); an address must lead to one link only"),
        ["overlap with an interface"] = (Red(red => red with { Subnets = [IpPrefix.Parse("198.51.0.0/16")], Endpoints = [] }),
            "interfaces[0].address: \"198.51.100.2/24\": overlaps 198.51.0.0/16 of networks[1].subnets[0] (network red); an address must lead to one link only"),
        ["overlap in a network"] = (Red(red => red with { Subnets = [.. red.Subnets, IpPrefix.Parse("10.0.0.0/8")] }),
            "networks[1].subnets[1]: \"10.0.0.0/8\": overlaps networks[1].subnets[0]; the subnets of a network share no address"),
        ["gateway elsewhere"] = (Red(red => red with { Gateways = [IpAddress.Parse("10.91.0.1")] }), "networks[1].gateways[0]: \"10.91.0.1\": is in no subnet of the network (10.90.0.0/30)"),
        ["gateway that is the network"] = (Red(red => red with { Gateways = [IpAddress.Parse("10.90.0.3")] }),
            "networks[1].gateways[0]: \"10.90.0.3\": is the broadcast address of 10.90.0.0/30; the address of one host is needed"),
        ["two gateways"] = (Red(red => red with { Gateways = [IpAddress.Parse("10.90.0.1"), IpAddress.Parse("10.90.0.1")] }),
            "networks[1].gateways[1]: \"10.90.0.1\": is the second gateway in 10.90.0.0/30, beside networks[1].gateways[0]"),
        ["group mac"] = (Red(red => red with { Mac = MacAddress.Parse("03:00:00:00:00:01") }),
            "networks[1].mac: \"03:00:00:00:00:01\": is a group address (lowest bit of the first byte); a unicast hardware address such as 02:00:00:00:00:01 is needed"),
        ["mtu"] = (Red(red => red with { Mtu = 9001 }), "networks[1].mtu: \"9001\": is not a link MTU from 576 to 9000"),
        ["mtu for ipv6"] = (Blue(blue => blue with { Mtu = 1279 }), "networks[0].mtu: \"1279\": is less than 1280, which IPv6 needs (RFC 8200, section 5)"),
        ["reach of nothing"] = (Red(red => red with { Reach = ["bleu"] }), "networks[1].reach[0]: \"bleu\": is not a network; there are 2; did you mean \"blue\"?"),
        ["reach of itself"] = (Red(red => red with { Reach = ["red"] }), "networks[1].reach[0]: \"red\": is the network itself, within which endpoints reach each other anyway"),
        ["endpoint twice"] = (Blue(blue => blue with { Endpoints = [blue.Endpoints[0], blue.Endpoints[1] with { Name = "a" }] }),
            "networks[0].endpoints[1].name: \"a\": is the name of networks[0].endpoints[0].name already; names are unique"),
        ["no such port"] = (One(one => one with { Port = "d0" }), "networks[1].endpoints[0].port: \"d0\": is not a port; the ports are wan, a0, b0, c0; did you mean \"a0\"?"),
        ["port with interface"] = (One(one => one with { Port = "wan" }),
            "networks[1].endpoints[0].port: \"wan\": has an interface; an endpoint's port has its addresses from the network: remove one of the two"),
        ["port of two"] = (One(one => one with { Port = "a0" }), "networks[1].endpoints[0].port: \"a0\": is the port of networks[0].endpoints[0] already; each endpoint has its own"),
        ["mac of two"] = (Blue(blue => blue with { Endpoints = [blue.Endpoints[0], blue.Endpoints[1] with { Mac = blue.Endpoints[0].Mac }] }),
            "networks[0].endpoints[1].mac: \"02:00:00:00:00:0a\": is the address of networks[0].endpoints[0] already; each station of a network has its own"),
        ["mac of the gateway"] = (One(one => one with { Mac = s_good.Networks[1].GatewayMac }),
            $"networks[1].endpoints[0].mac: \"{s_good.Networks[1].GatewayMac}\": is the gateway's; no other station of the network can have it"),
        ["address elsewhere"] = (One(one => one with { Addresses = [IpAddress.Parse("10.89.0.9")] }),
            "networks[1].endpoints[0].addresses[0]: \"10.89.0.9\": is in no subnet of the network (10.90.0.0/30)"),
        ["address of the gateway"] = (One(one => one with { Addresses = [IpAddress.Parse("10.90.0.1")] }),
            "networks[1].endpoints[0].addresses[0]: \"10.90.0.1\": is the engine's own address (networks[1]), so no endpoint can have it"),
        ["address of the subnet"] = (One(one => one with { Addresses = [IpAddress.Parse("10.90.0.0")] }),
            "networks[1].endpoints[0].addresses[0]: \"10.90.0.0\": is the network address of 10.90.0.0/30; the address of one host is needed"),
        ["address of two"] = (Blue(blue => blue with { Endpoints = [blue.Endpoints[0], blue.Endpoints[1] with { Addresses = [IpAddress.Parse("fd00:89::2")] }] }),
            "networks[0].endpoints[1].addresses[0]: \"fd00:89::2\": is networks[0].endpoints[0].addresses[1] already; each address belongs to one endpoint"),
        ["null addresses"] = (One(one => one with { Addresses = null! }), "networks[1].endpoints[0].addresses: is null; an empty list is allowed"),
        ["slow rate"] = (One(one => one with { Rate = new RateSpec { In = 999 } }), "networks[1].endpoints[0].rate.in: \"999\": is not a rate from 1kbit to 1000gbit"),
        ["burst without rate"] = (One(one => one with { Rate = new RateSpec { OutBurst = 2000 } }), "networks[1].endpoints[0].rate.out_burst: \"2000\": stands without the rate it belongs to"),
        ["small burst"] = (One(one => one with { Rate = new RateSpec { Out = 8000, OutBurst = 1 } }),
            "networks[1].endpoints[0].rate.out_burst: \"1\": is not a number of bytes from 1600 to 4294967295"),
        ["nat inside"] = (s_good with { Nat = [new NatSpec { Inside = "green", Outside = "wan" }] }, "nat[0].inside: \"green\": is not a port; the ports are wan, a0, b0, c0"),
        ["next hop without endpoint"] = (s_good with { Routes = [Route("10.89.0.77")] },
            "routes[0].via[0].address: \"10.89.0.77\": is in network blue, but no endpoint has it; a next hop there is the address of an endpoint"),
        ["service in place of an endpoint"] = (s_good with { Services = [new ServiceSpec { Name = "s", Address = IpAddress.Parse("10.90.0.2"), Port = 80 }] },
            "networks[1].endpoints[0].addresses[0]: \"10.90.0.2\": is the engine's own address (services[0]), so no endpoint can have it"),
    };

    public static TheoryData<string> Bad => [.. s_bad.Keys];

    [Fact]
    public void Validate_GoodNetworks_FindsNothing() => Assert.Empty(SpecValidator.Validate(s_good));

    [Fact]
    public void Validate_RouteByAnEndpoint_FindsNothing() => Assert.Empty(SpecValidator.Validate(s_good with { Routes = [Route("10.89.0.2")] }));

    [Theory]
    [MemberData(nameof(Bad))]
    public void Validate_BadNetwork_SaysWhatAndWhere(string name)
    {
        (DataplaneSpec spec, string error) = s_bad[name];
        Assert.Equal([error], SpecValidator.Validate(spec).Select(found => found.ToString()));
    }

    [Fact]
    public void Builder_NetworkWithMistakes_SaysThemAtOnce()
    {
        ConfigurationException wrong = Assert.Throws<ConfigurationException>(() => new DataplaneBuilder()
            .Port("a0", PortSource.Tap("a0"))
            .Network("blue", "10.89.0.0", n => n.Subnet("fd00::/64", "x").Endpoint("a", "a0", "zz", "10.89.0.2"))
            .ToSpec());
        Assert.Equal(["networks[0].subnets[0]", "networks[0].gateways[0]", "networks[0].endpoints[0].mac"], wrong.Errors.Select(error => error.Path));
    }

    [Fact]
    public void GatewayOf_SubnetWithoutOne_IsTheFirstAddress()
    {
        NetworkSpec blue = s_good.Networks[0];
        Assert.Equal("10.89.0.254", blue.GatewayOf(blue.Subnets[0]).ToString());
        Assert.Equal("fd00:89::1", blue.GatewayOf(blue.Subnets[1]).ToString());
        Assert.Equal(blue.GatewayMac, new NetworkSpec { Name = "blue" }.GatewayMac);
        Assert.NotEqual(blue.GatewayMac, new NetworkSpec { Name = "red" }.GatewayMac);
    }

    [Theory]
    [InlineData("1bit", 1)]
    [InlineData("64kbit", 64_000)]
    [InlineData("100mbit", 100_000_000)]
    [InlineData("10gbit", 10_000_000_000)]
    public void RateText_WrittenAndRead_IsTheSame(string text, long rate)
    {
        Assert.True(RateText.TryRead(text, out System.Numerics.BigInteger read));
        Assert.Equal(rate, (long)read);
        Assert.Equal(text, RateText.From(rate));
    }

    [Theory]
    [InlineData("")]
    [InlineData("100")]
    [InlineData("mbit")]
    [InlineData("1.5mbit")]
    [InlineData("-1mbit")]
    [InlineData("010mbit")]
    [InlineData("1 mbit")]
    [InlineData("1MBit")]
    public void RateText_NoRate_IsRefused(string text) => Assert.False(RateText.TryRead(text, out _));

    private static EndpointSpec Endpoint(string name, string port, string mac, params string[] addresses) => new()
    {
        Name = name,
        Port = port,
        Mac = MacAddress.Parse(mac),
        Addresses = [.. addresses.Select(address => IpAddress.Parse(address))],
    };

    private static RouteSpec Route(string via) => new() { To = IpPrefix.Parse("203.0.113.0/24"), Via = [new NextHopSpec { Address = IpAddress.Parse(via) }] };

    private static DataplaneSpec Red(Func<NetworkSpec, NetworkSpec> change) =>
        s_good with { Nat = [], Networks = [s_good.Networks[0] with { Reach = [] }, change(s_good.Networks[1])] };

    private static DataplaneSpec Blue(Func<NetworkSpec, NetworkSpec> change) => s_good with { Networks = [change(s_good.Networks[0]), s_good.Networks[1]] };

    private static DataplaneSpec One(Func<EndpointSpec, EndpointSpec> change) => Red(red => red with { Endpoints = [change(red.Endpoints[0])] });
}
