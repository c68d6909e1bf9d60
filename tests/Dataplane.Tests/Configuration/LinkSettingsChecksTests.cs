using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Switching;

namespace Dataplane.Tests.Configuration;

/// <summary>What endpoints can be told of their network, and what is said when they cannot.</summary>
public sealed class LinkSettingsChecksTests
{
    private static readonly NetworkSpec s_blue = new()
    {
        Name = "blue",
        Subnets = [IpPrefix.Parse("10.89.0.0/24"), IpPrefix.Parse("fd00:89::/64")],
        Dns = [IpAddress.Parse("10.89.0.53"), IpAddress.Parse("2001:db8::53")],
        Search = ["blue.example", "example."],
        RouterAdvertisements = new RouterAdvertisementSpec { Interval = TimeSpan.FromSeconds(30), Lifetime = TimeSpan.FromSeconds(30), Managed = true, Autonomous = true },
        Dhcp = new DhcpSpec { Lease = TimeSpan.FromSeconds(60), Routes = [new DhcpRouteSpec { To = IpPrefix.Parse("10.0.0.0/8"), Via = IpAddress.Parse("10.89.0.9") }, new DhcpRouteSpec { To = IpPrefix.AllV4 }] },
        Endpoints =
        [
            new EndpointSpec { Name = "a", Port = "a0", Mac = MacAddress.Parse("02:00:00:00:00:0a"), Addresses = [IpAddress.Parse("10.89.0.2"), IpAddress.Parse("fd00:89::ff:fe00:a")] },
            new EndpointSpec { Name = "b", Port = "b0", Mac = MacAddress.Parse("02:00:00:00:00:0b"), Addresses = [IpAddress.Parse("fd00:89::2")] },
        ],
    };

    private static readonly Dictionary<string, (NetworkSpec Network, string Error)> s_bad = new()
    {
        ["dns is no host"] = (s_blue with { Dns = [IpAddress.Parse("ff02::fb")] }, "networks[0].dns[0]: \"ff02::fb\": is a multicast address; the address of one host is needed"),
        ["many servers"] = (s_blue with { Dns = [.. Enumerable.Range(1, 9).Select(host => IpAddress.Parse($"10.0.0.{host}"))] }, "networks[0].dns: has 9 addresses; 8 at most are told"),
        ["search is no name"] = (s_blue with { Search = ["a b"] }, "networks[0].search[0]: \"a b\": has \" \" in it; letters, digits, - and _ are allowed between the dots"),
        ["search is null"] = (s_blue with { Search = null! }, "networks[0].search: is null; an empty list is allowed"),
        ["told to nobody"] = (s_blue with { RouterAdvertisements = null, Dhcp = null, Search = [] },
            "networks[0].dns: is told to nobody: endpoints hear of it by router_advertisements or dhcp, and the network has neither"),
        ["advertised without IPv6"] = (s_blue with { Subnets = [s_blue.Subnets[0]], Endpoints = [], Dns = [] },
            "networks[0].router_advertisements: stand in a network without an IPv6 subnet, of which they would say nothing; add one to subnets, or leave them out"),
        ["interval"] = (Advertised(spec => spec with { Interval = TimeSpan.FromSeconds(3), Lifetime = null }),
            "networks[0].router_advertisements.interval: \"00:00:03\": is not a time from 4s to 1800s in whole milliseconds"),
        ["lifetime"] = (Advertised(spec => spec with { Lifetime = TimeSpan.FromSeconds(9001) }), "networks[0].router_advertisements.lifetime: \"02:30:01\": is not a time from 0s to 9000s in whole milliseconds"),
        ["lifetime in parts"] = (Advertised(spec => spec with { Lifetime = TimeSpan.FromMilliseconds(30_500) }), "networks[0].router_advertisements.lifetime: \"00:00:30.5000000\": is told in whole seconds"),
        ["lifetime less than interval"] = (Advertised(spec => spec with { Lifetime = TimeSpan.FromSeconds(29) }),
            "networks[0].router_advertisements.lifetime: \"00:00:29\": is less than the interval (00:00:30): the gateway would be forgotten between two advertisements (RFC 4861, 6.2.1)"),
        ["autonomous"] = (s_blue with { Subnets = [s_blue.Subnets[0], IpPrefix.Parse("fd00:89::/80")] },
            "networks[0].router_advertisements.autonomous: \"true\": does not go with fd00:89::/80: endpoints make addresses from prefixes of 64 bits (RFC 2464, 4)"),
        ["autonomous address of another"] = (s_blue with
        {
            Endpoints = [s_blue.Endpoints[0], s_blue.Endpoints[1] with { Mac = MacAddress.Parse("02:00:00:00:00:0c") },
            new EndpointSpec { Name = "c", Port = "c0", Mac = MacAddress.Parse("02:00:00:00:00:0b"), Addresses = [IpAddress.Parse("fd00:89::ff:fe00:c")] }]
        },
            "networks[0].endpoints[2].addresses[0]: \"fd00:89::ff:fe00:c\": is networks[0].endpoints[1].mac already; each address belongs to one endpoint"),
        ["autonomous address of the engine"] = (s_blue with { Gateways = [IpAddress.Parse("fd00:89::ff:fe00:b")] },
            "networks[0].endpoints[1].mac: \"02:00:00:00:00:0b\": makes fd00:89::ff:fe00:b in fd00:89::/64, which is the engine's own address (networks[0])"),
        ["routes of DHCP without IPv4"] = (s_blue with { Subnets = [s_blue.Subnets[1]], Endpoints = [], Dhcp = new DhcpSpec { Routes = [new DhcpRouteSpec { To = IpPrefix.Parse("10.0.0.0/8") }] } },
            "networks[0].dhcp.routes: are told by DHCPv4, and the network has no IPv4 subnet"),
        ["lease"] = (s_blue with { Dhcp = new DhcpSpec { Lease = TimeSpan.FromSeconds(59) } }, "networks[0].dhcp.lease: \"00:00:59\": is not a time from 60s to 604800s in whole milliseconds"),
        ["route of IPv6"] = (Routed("fd00::/8"), "networks[0].dhcp.routes[0].to: \"fd00::/8\": is an IPv6 prefix, of which DHCPv4 says nothing"),
        ["route with host bits"] = (Routed("10.0.0.1/8"), "networks[0].dhcp.routes[0].to: \"10.0.0.1/8\": has bits set behind its length; the prefix is 10.0.0.0/8"),
        ["router out of reach"] = (Routed("10.0.0.0/8", "10.90.0.1"), "networks[0].dhcp.routes[0].via: \"10.90.0.1\": is in no IPv4 subnet of the network, so that no endpoint could send to it"),
        ["too much for a message"] = (s_blue with { Search = [.. Enumerable.Range(0, 5).Select(i => $"{new string('x', 50)}.example{i}")] },
            "networks[0].dhcp: makes 409 bytes of options; 226 fit into what every client takes (RFC 2131, 2): take fewer routes, name servers or search domains"),
        ["too much for a packet"] = (s_blue with { Dhcp = null, Search = [.. Enumerable.Range(0, 6).Select(i => string.Join('.', Enumerable.Repeat(new string((char)('a' + i), 60), 4)))] },
            "networks[0].router_advertisements: \"2\": make 1568 bytes; 1240 fit into a packet: take fewer subnets, name servers or search domains"),
    };

    public static TheoryData<string> Bad => [.. s_bad.Keys];

    [Fact]
    public void Validate_WhatCanBeTold_HasNoErrors() => Assert.Empty(SpecValidator.Validate(Spec(s_blue)));

    [Theory]
    [MemberData(nameof(Bad))]
    public void Validate_WhatCannotBeTold_SaysWhereAndWhy(string which)
    {
        (NetworkSpec network, string error) = s_bad[which];
        Assert.Equal(error, Assert.Single(SpecValidator.Validate(Spec(network))).ToString());
    }

    private static NetworkSpec Advertised(Func<RouterAdvertisementSpec, RouterAdvertisementSpec> change) => s_blue with { RouterAdvertisements = change(s_blue.RouterAdvertisements!) };

    private static NetworkSpec Routed(string to, string? via = null) => s_blue with
    {
        Dhcp = new DhcpSpec { Routes = [new DhcpRouteSpec { To = IpPrefix.Parse(to), Via = via is null ? null : IpAddress.Parse(via) }] },
    };

    private static DataplaneSpec Spec(NetworkSpec network) => new() { Ports = [.. new[] { "a0", "b0", "c0" }.Select(name => new PortSpec { Name = name })], Networks = [network] };
}
