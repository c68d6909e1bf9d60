using Dataplane.Configuration;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Networks.Shared;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Switching;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>What the engine is told of networks that hosts share.</summary>
public sealed class SharedCompositionTests
{
    private static readonly NetworkView s_web = new(
        new NetworkRecord("web") { Vni = 4096, Mtu = 1450, Reach = ["gone"], Subnets = [new SubnetRecord("10.89.0.0/24") { Gateway = "10.89.0.1" }] },
        [new EndpointRecord("one", "eth0") { Namespace = "/proc/1/ns/net", Mac = "02:00:00:00:00:01", Addresses = ["10.89.0.2"], Name = "one" }])
    {
        Elsewhere =
        [
            new RemoteRecord("two", "eth0", "h2") { Name = "two", Aliases = ["db"], Mac = "02:00:00:00:00:02", Addresses = ["10.89.0.3"], Tunnel = "192.0.2.52" },
            new RemoteRecord("three", "eth0", "h3") { Name = "three", Mac = "02:00:00:00:00:03", Addresses = ["10.89.0.4"] },
        ],
    };

    private static readonly ServeOptions s_options = new()
    {
        HostInterface = "",
        Uplink = "eth0",
        UplinkAddresses = [IpPrefix.Parse("192.0.2.51/24")],
        Etcd = ["http://192.0.2.1:2379"],
        Tunnel = IpAddress.Parse("192.0.2.51"),
    };

    [Fact]
    public void Compose_SharedNetwork_HasAnOverlayToThoseWhoseHostsAreKnown()
    {
        DataplaneSpec spec = Compose(s_options, s_web);
        Assert.Empty(SpecValidator.Validate(spec));
        NetworkSpec network = Assert.Single(spec.Networks);
        Assert.Empty(network.Reach);
        OverlaySpec overlay = network.Overlay!;
        Assert.Equal((4096, "192.0.2.51", 4789), (overlay.Vni, overlay.Local.ToString(), overlay.UdpPort));
        Assert.Equal(["192.0.2.53", "192.0.2.52"], overlay.Peers.Select(peer => peer.ToString()));
        RemoteEndpointSpec two = Assert.Single(overlay.Endpoints);
        Assert.Equal(("02:00:00:00:00:02", "10.89.0.3", "192.0.2.52"), (two.Mac.ToString(), two.Addresses[0].ToString(), two.Peer.ToString()));
        Assert.Contains(spec.Ports, port => port.Name == overlay.Port && port.Mtu == 1450);

        // Names are known wherever the container is.
        Assert.Contains(spec.Names[0].Zones, zone => zone.Name == "db");
    }

    [Fact]
    public void Compose_WhatContainersAreTold_IsToldWithTheNameServerOfTheNetwork()
    {
        NetworkRecord network = s_web.Network with { RouterAdvertisements = true, Dhcp = true, Search = ["web"], Subnets = [.. s_web.Network.Subnets, new SubnetRecord("fd00:89::/64") { Gateway = "fd00:89::1" }] };
        DataplaneSpec spec = Compose(s_options, s_web with { Network = network });
        Assert.Empty(SpecValidator.Validate(spec));
        Assert.True(spec.Networks[0] is { RouterAdvertisements: not null, Dhcp: not null, Search: ["web"] });
        Assert.Equal(["10.89.0.1", "fd00:89::1"], spec.Names[0].Addresses.Select(address => address.ToString()));
        Assert.True(Compose(s_options, s_web).Networks[0] is { RouterAdvertisements: null, Dhcp: null });
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public void SettingsOf_AnEndpoint_ListensToAdvertisementsWhereItsDefaultRouteIs(bool isAdvertised, bool isDefault, bool listens) => Assert.Equal(
        listens, ContainerNetworks.SettingsOf(s_web.Network with { RouterAdvertisements = isAdvertised }, s_web.Endpoints[0] with { DefaultRoute = isDefault }).AcceptRouterAdvertisements);

    [Fact]
    public void Compose_NetworkOfThisHostAlone_HasNone()
    {
        Assert.Null(Compose(s_options, s_web with { Network = s_web.Network with { Vni = null }, Elsewhere = [] }).Networks[0].Overlay);
        Assert.Null(Compose(s_options with { Tunnel = default }, s_web).Networks[0].Overlay);
    }

    [Fact]
    public void Compose_UplinksOfTwoHosts_HaveHardwareAddressesOfTheirOwn()
    {
        MacAddress? Mac(string address) => Compose(s_options with { UplinkAddresses = [IpPrefix.Parse(address)], Tunnel = IpPrefix.Parse(address).Address }, s_web)
            .Ports.Single(port => port.Name == SpecComposer.UplinkPort).Mac;
        Assert.NotEqual(Mac("192.0.2.51/24"), Mac("192.0.2.54/24"));
        Assert.Equal(Mac("192.0.2.51/24"), Mac("192.0.2.51/24"));
    }

    [Fact]
    public void Compose_NetworkByTls_HasALinkToEachHostWhateverNumberOfNetworksGoesByIt()
    {
        using var certificates = new LinkCertificates();
        ServeOptions options = s_options with { HostName = "h2", Links = certificates.Options };
        using var links = new HostLinks(options);
        var composer = new SpecComposer(options) { Links = links };
        links.Hosts = [new LinkRecord("h1", "192.0.2.11:4790"), new LinkRecord("h3", "192.0.2.13:4790"), new LinkRecord("h4", "192.0.2.13:4791"), new LinkRecord("h5", "nonsense")];
        NetworkView web = s_web with { Network = s_web.Network with { Underlay = NetworkRecord.Tls, Mtu = 9000 } };
        NetworkView db = new(new NetworkRecord("db") { Vni = 4097, Underlay = NetworkRecord.Tls, Subnets = [new SubnetRecord("10.90.0.0/24") { Gateway = "10.90.0.1" }] }, []);
        DataplaneSpec spec = composer.Compose([web, db], []);
        Assert.Empty(SpecValidator.Validate(spec));
        PortSpec[] ports = [.. spec.Ports.Where(port => port.Kind == PortKind.Stream)];
        Assert.Equal([HostLinks.PortName("h1"), HostLinks.PortName("h3")], ports.Select(port => port.Name));
        Assert.All(spec.Networks, network => Assert.Equal(ports.Select(port => port.Name), network.Overlay!.Links.Select(link => link.Port)));
        Assert.True(spec.Networks[0].Overlay is { Local.IsNone: true, Peers: [], Vni: 4096 });

        // h2 is not known: what it has is not there. What h3 has is behind its link.
        RemoteEndpointSpec three = Assert.Single(spec.Networks[0].Overlay!.Endpoints);
        Assert.Equal(("02:00:00:00:00:03", "192.0.2.13"), (three.Mac.ToString(), three.Peer.ToString()));

        // Ports stay what they are for as long as the host is there, so that the engine does not close them.
        Assert.Equal(ports, composer.Compose([web, db], []).Ports.Where(port => port.Kind == PortKind.Stream), ReferenceEqualityComparer.Instance);
        links.Hosts = [new LinkRecord("h3", "192.0.2.13:4790")];
        Assert.Same(ports[1], Assert.Single(composer.Compose([web], []).Ports, port => port.Kind == PortKind.Stream));

        // Without such a network no link is kept; without another host the network is this one's alone.
        Assert.DoesNotContain(composer.Compose([s_web], []).Ports, port => port.Kind == PortKind.Stream);
        links.Hosts = [];
        Assert.Null(composer.Compose([web], []).Networks[0].Overlay);
        Assert.Null(Compose(options, web).Networks[0].Overlay);
    }

    [Theory]
    [InlineData(null, true, null)]
    [InlineData("vxlan", true, null)]
    [InlineData("tls", true, "tls")]
    public void CheckUnderlay_OfANetworkThatHostsShare_IsOneOfTwo(string? given, bool isShared, string? kept) =>
        Assert.Equal(kept, NetworkRequests.CheckUnderlay(new NetworkRecord("web") { Underlay = given }, isShared).Underlay);

    [Theory]
    [InlineData("ipsec", true, "underlay \"ipsec\" is not vxlan or tls")]
    [InlineData("tls", false, "started without --etcd")]
    public void CheckUnderlay_ThatIsNone_IsRefused(string given, bool isShared, string message) => Assert.Contains(message,
        Assert.Throws<NetworkException>(() => NetworkRequests.CheckUnderlay(new NetworkRecord("web") { Underlay = given }, isShared)).Message, StringComparison.Ordinal);

    private static DataplaneSpec Compose(ServeOptions options, NetworkView view) => new SpecComposer(options) { Peers = ["192.0.2.53", "192.0.2.52"] }.Compose([view], []);
}
