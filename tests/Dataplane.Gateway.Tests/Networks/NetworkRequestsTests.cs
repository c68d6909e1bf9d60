using Dataplane.Configuration;
using Dataplane.Gateway.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>Requests are completed or refused before anything is touched; what is made of them is a configuration that the engine takes.</summary>
public sealed class NetworkRequestsTests
{
    [Fact]
    public void Complete_NothingGiven_ChoosesFreeRangesOfBothFamilies()
    {
        NetworkRecord made = NetworkRequests.Complete(new NetworkRecord("web") { Ipv6 = true }, "site", [Network("a", "172.17.0.0/16")], [IpPrefix.Parse("172.18.3.0/24")]);
        Assert.Equal(("172.19.0.0/16", "172.19.0.1"), (made.Subnets[0].Subnet, made.Subnets[0].Gateway));
        Assert.StartsWith("fd", made.Subnets[1].Subnet, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("web", "10.1.0.0/24", null, NetworkFault.Conflict, "exists already")]
    [InlineData("two", "10.1.0.128/25", null, NetworkFault.Conflict, "overlaps 10.1.0.0/24")]
    [InlineData("two", "192.0.2.0/24", null, NetworkFault.Conflict, "overlaps 192.0.2.0/25")]
    [InlineData("two", "10.2.0.1/24", null, NetworkFault.Invalid, "10.2.0.0/24 may be meant")]
    [InlineData("two", "10.2.0.0/31", null, NetworkFault.Invalid, "has no room")]
    [InlineData("two", "10.2.0.0", null, NetworkFault.Invalid, "is not a subnet")]
    [InlineData("two", "10.2.0.0/24", "10.3.0.1", NetworkFault.Invalid, "cannot be the gateway")]
    [InlineData("uplink", "10.2.0.0/24", null, NetworkFault.Invalid, "cannot name a network")]
    [InlineData("a/b", "10.2.0.0/24", null, NetworkFault.Invalid, "cannot name a network")]
    internal void Complete_Wrong_SaysWhy(string name, string subnet, string? gateway, NetworkFault fault, string why)
    {
        var request = new NetworkRecord(name) { Subnets = [new SubnetRecord(subnet) { Gateway = gateway }] };
        NetworkException refused = Assert.Throws<NetworkException>(() => NetworkRequests.Complete(request, "site", [Network("web", "10.1.0.0/24")], [IpPrefix.Parse("192.0.2.0/25")]));
        Assert.Equal(fault, refused.Fault);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("80:80", 80, 80, 1, "tcp", "")]
    [InlineData("8000-8010:9000-9010/udp", 8000, 9000, 11, "udp", "")]
    [InlineData("127.0.0.1:80:8080", 80, 8080, 1, "tcp", "127.0.0.1")]
    [InlineData("[::1]:80:8080/tcp", 80, 8080, 1, "tcp", "::1")]
    public void Parse_PortsAsDockerWritesThem_AreRead(string text, int host, int port, int count, string protocol, string address)
    {
        Assert.Equal(new PublishedPort(host, port) { Count = count, Protocol = protocol, HostAddress = address }, PortText.Parse(text));
        NetworkRequests.CheckPorts([PortText.Parse(text)]);
    }

    [Theory]
    [InlineData("80")]
    [InlineData("0:80")]
    [InlineData("80:70000")]
    [InlineData("80-90:80-91")]
    [InlineData("90-80:90-80")]
    [InlineData("host:80:80")]
    [InlineData("80:80:80:80")]
    public void Parse_NotPorts_AreRefused(string text) => Assert.Throws<FormatException>(() => PortText.Parse(text));

    [Fact]
    public void Compose_NetworksWithEverything_IsAConfigurationThatTheEngineTakes()
    {
        var options = new ServeOptions
        {
            Uplink = "eth1",
            UplinkAddresses = [IpPrefix.Parse("192.0.2.50/24"), IpPrefix.Parse("2001:db8::50/64")],
            UplinkGateways = [IpAddress.Parse("192.0.2.1")],
        };
        NetworkView[] networks =
        [
            new(Network("web", "10.1.0.0/24"), [Endpoint("a", "10.1.0.2") with
            {
                Ports = [new PublishedPort(8080, 80), new PublishedPort(5000, 5000) { Count = 3, Protocol = "udp" }, new PublishedPort(9, 9) { HostAddress = "198.51.100.1" }],
                Rate = new RateRecord(1_000_000, null),
            }]),
            new(Network("quiet", "10.2.0.0/24") with { Internal = true, Reach = ["web"] }, [Endpoint("b", "10.2.0.2") with { Ports = [new PublishedPort(81, 81)] }]),
        ];
        DataplaneSpec spec = new SpecComposer(options).Compose(networks, [IpAddress.Parse("192.0.2.10"), IpAddress.Parse("192.0.2.50")]);
        Assert.Empty(SpecValidator.Validate(spec));

        // Published at the engine's own addresses only, of the endpoint's family, and never out of an internal network.
        Assert.Equal([(ushort)8080, 5000, 5001, 5002], spec.Services.Select(service => service.Port));
        Assert.All(spec.Services, service => Assert.Equal("192.0.2.50", service.Address.ToString()));
        Assert.Equal("web", Assert.Single(spec.Nat).Inside);
        Assert.Contains(spec.Routes, route => route.To.ToString() == "192.0.2.10/32" && route.Via[0].Address.ToString() == "100.127.255.253");
        Assert.DoesNotContain(spec.Routes, route => route.To.ToString() == "192.0.2.50/32");
    }

    [Fact]
    public void ServerOf_NamesAliasesAndAddresses_AreInItsZones()
    {
        EndpointRecord endpoint = Endpoint("a", "10.1.0.2") with { Name = "Front", Aliases = ["www", "front", "not a name"] };
        NetworkRecord network = Network("web", "10.1.0.0/24");
        var records = NetworkNames.RecordsOf(network, endpoint, [IpAddress.Parse("10.1.0.2")]);
        var zones = new NetworkZones();
        foreach ((string zone, Dataplane.Names.NameRecord record) in records.Concat(records))
        {
            zones.Add(zone, record);
        }

        Dataplane.Names.NameServerSpec server = NetworkNames.ServerOf(network, zones.ToSpecs(), [new(System.Net.IPAddress.Parse("192.0.2.53"), 53)]);
        Assert.Equal(["front", "web", "www", "2.0.1.10.in-addr.arpa"], server.Zones.Select(zone => zone.Name));
        Assert.Equal(["front.web", "www.web"], server.Zones[1].Records.Select(record => record.Name));
        Assert.Equal("front.web", server.Zones[3].Records[0].Target);
        Assert.Single(server.Upstreams);
        Assert.Empty(NetworkNames.ServerOf(network with { Internal = true }, [], server.Upstreams).Upstreams);
    }

    [Fact]
    public void UpstreamsOf_ResolverFile_AreItsServers() => Assert.Equal(
        ["192.0.2.1:53", "[2001:db8::1]:53"],
        NetworkNames.UpstreamsOf(["# one", "search example", "nameserver 192.0.2.1", "nameserver\t2001:db8::1 ", "nameserver fe80::1%2", "nameserver no"]).Select(server => server.ToString()));

    [Fact]
    public void Compose_Again_KeepsPortsThatStay()
    {
        var composer = new SpecComposer(new ServeOptions());
        NetworkRecord network = Network("web", "10.1.0.0/24");
        EndpointRecord endpoint = Endpoint("a", "10.1.0.2");
        DataplaneSpec first = composer.Compose([new NetworkView(network, [endpoint])], []);
        DataplaneSpec second = composer.Compose([new NetworkView(network, [endpoint, Endpoint("b", "10.1.0.3")])], []);
        Assert.Equal(first.Ports, second.Ports.Take(2));
        composer.Forget(network, endpoint);
        Assert.NotEqual(first.Ports[1], composer.Compose([new NetworkView(network, [endpoint])], []).Ports[1]);
    }

    [Fact]
    public void Compose_OneEndpointMoreAmongAThousand_OnlyThatOneIsWorkedOut()
    {
        var composer = new SpecComposer(new ServeOptions());
        NetworkRecord web = Network("web", "10.1.0.0/16");
        var other = new NetworkView(Network("other", "10.2.0.0/16"), [Endpoint("x", "10.2.0.2")]);
        EndpointRecord[] endpoints = [.. Enumerable.Range(0, 1000).Select(i => Endpoint($"c{i}", $"10.1.{(i / 250) + 1}.{(i % 250) + 1}") with { Name = $"c{i}" })];
        DataplaneSpec before = composer.Compose([new NetworkView(web, endpoints), other], []);
        int made = composer.EndpointsMade;
        DataplaneSpec after = composer.Compose([new NetworkView(web, [.. endpoints, Endpoint("new", "10.1.9.1") with { Name = "new" }]), other], []);
        Assert.Equal((1001, 1002), (made, composer.EndpointsMade));

        // What has not changed is the same object: the engine compares by reference first, and keeps a name server's answers.
        Assert.Same(before.Names[1], after.Names[1]);
        Assert.Equal(2 * 1000 + 1 + 2, after.Names[0].Zones.Count);
        Assert.Equal(3, after.Names[0].Zones.Except(before.Names[0].Zones, ReferenceEqualityComparer.Instance).Count());
        Assert.All(Enumerable.Range(0, 1000), i => Assert.Same(before.Networks[0].Endpoints[i], after.Networks[0].Endpoints[i]));

        // Other ports are published: the endpoint's interface stays as it is.
        endpoints[7] = endpoints[7] with { Ports = [new PublishedPort(80, 80)] };
        DataplaneSpec published = composer.Compose([new NetworkView(web, endpoints), other], []);
        Assert.Same(after.Ports[8], published.Ports[8]);
        Assert.Equal(1003, composer.EndpointsMade);
    }

    [Theory]
    [InlineData("", 80, 1, "", 80, 1)]
    [InlineData("", 80, 1, "192.0.2.1", 80, 1)]
    [InlineData("0.0.0.0", 80, 1, "192.0.2.1", 80, 1)]
    [InlineData("", 80, 11, "", 90, 1)]
    public void CheckPorts_TheSamePortTwice_IsSaid(string a, int firstA, int countA, string b, int firstB, int countB)
    {
        NetworkException refused = Assert.Throws<NetworkException>(() => NetworkRequests.CheckPorts(
            [new PublishedPort(firstA, 80) { HostAddress = a, Count = countA }, new PublishedPort(firstB, 81) { HostAddress = b, Count = countB }]));
        Assert.Contains("published already by", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CheckPorts_PortsThatDoNotMeet_AreGood() => NetworkRequests.CheckPorts(
    [
        new PublishedPort(80, 80), new PublishedPort(80, 80) { Protocol = "udp" }, new PublishedPort(81, 80) { HostAddress = "0.0.0.0" },
        new PublishedPort(81, 80) { HostAddress = "::1" }, new PublishedPort(82, 80) { HostAddress = "192.0.2.1" }, new PublishedPort(82, 80) { HostAddress = "192.0.2.2" },
    ]);

    private static NetworkRecord Network(string name, string subnet) => new(name) { Subnets = [new SubnetRecord(subnet) { Gateway = IpAddress.FromBits(IpFamily.V4, IpPrefix.Parse(subnet).First.Bits + 1).ToString() }] };

    private static EndpointRecord Endpoint(string container, string address) =>
        new(container, "eth0") { Namespace = "/ns", Mac = Dataplane.Networks.EndpointMac.Choose("n", container).ToString(), Addresses = [address] };
}
