using Dataplane.Bridging;
using Dataplane.Configuration;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Switching;

namespace Dataplane.Tests.Configuration;

/// <summary>What a bridge must be like, and what is said when it is not.</summary>
public class BridgeChecksTests
{
    private static readonly DataplaneSpec s_good = new()
    {
        Ports =
        [
            new PortSpec { Name = "a" }, new PortSpec { Name = "b" }, new PortSpec { Name = "c" }, new PortSpec { Name = "lan" }, new PortSpec { Name = "web" },
            new PortSpec { Name = "vx0", Kind = PortKind.Vxlan }, new PortSpec { Name = "s0", Kind = PortKind.Stream, Endpoint = "198.51.100.3:7000" },
            new PortSpec { Name = "q0", Kind = PortKind.AfPacket, Interface = "eth0", Queues = 2 },
        ],
        Interfaces = [new InterfaceSpec { Port = "lan", Address = IpPrefix.Parse("198.51.100.2/24") }],
        Networks =
        [
            new NetworkSpec
            {
                Name = "blue",
                Subnets = [IpPrefix.Parse("10.89.0.0/24")],
                Endpoints = [new EndpointSpec { Name = "web", Port = "web", Mac = MacAddress.Parse("02:00:00:00:00:0a"), Addresses = [IpAddress.Parse("10.89.0.2")] }],
                Overlay = new OverlaySpec { Port = "vx0", Vni = 42, Links = [new OverlayLinkSpec { Peer = IpAddress.Parse("198.51.100.3"), Port = "s0" }] },
            },
        ],
        Bridges = [new BridgeSpec { Name = "one", Ports = [new BridgePortSpec { Port = "a", Hosts = 8192, Horizon = "core" }, new BridgePortSpec { Port = "b", Isolate = true }] }],
        Workers = new() { Count = 2 },
    };

    [Fact]
    public void Validate_GoodBridge_HasNoErrors() => Assert.Empty(SpecValidator.Validate(s_good));

    [Theory]
    [InlineData("lan", "bridges[0].ports[0].port: \"lan\": has an interface; a bridge's port is the bridge's alone: remove one of the two")]
    [InlineData("web", "bridges[0].ports[0].port: \"web\": is the port of an endpoint; a bridge's port is the bridge's alone: remove one of the two")]
    [InlineData("s0", "bridges[0].ports[0].port: \"s0\": is a link of an overlay; a bridge's port is the bridge's alone: remove one of the two")]
    [InlineData("vx0", "bridges[0].ports[0].port: \"vx0\": is of the kind vxlan, which only overlays use")]
    [InlineData("q0", "bridges[0].ports[0].port: \"q0\": has several queues; a bridge's port has one, so that its limits hold for all that comes by it")]
    [InlineData("b", "bridges[0].ports[1].port: \"b\": is the port of bridges[0].ports[0] already; each port belongs to one bridge, once")]
    public void Validate_PortOfSomethingElse_SaysOfWhat(string port, string error) =>
        Assert.Equal(error, Error(bridge => bridge with { Ports = [new BridgePortSpec { Port = port }, bridge.Ports[1]] }));

    [Fact]
    public void Validate_ValuesOutOfRange_AreAllReported()
    {
        var wrong = new BridgeSpec
        {
            Name = "",
            Ports = [new BridgePortSpec { Port = "a", Hosts = 64, Horizon = "x y" }],
            Entries = 63,
            Ageing = TimeSpan.FromMilliseconds(10_500),
            Unknown = -1,
            Broadcast = 1_000_001,
            Multicast = -1,
            Moves = 1_000_001,
        };
        string[] places = [.. SpecValidator.Validate(s_good with { Bridges = [wrong] }).Select(error => error.Path)];
        Assert.Equal(
            [
                "bridges[0].name", "bridges[0].entries", "bridges[0].ageing", "bridges[0].unknown", "bridges[0].broadcast", "bridges[0].multicast", "bridges[0].moves", "bridges[0].ports",
                "bridges[0].ports[0].horizon", "bridges[0].ports[0].hosts",
            ],
            places);
    }

    [Fact]
    public void Validate_TwoBridges_ShareNothing()
    {
        DataplaneSpec spec = s_good with { Bridges = [s_good.Bridges[0], new BridgeSpec { Name = "one", Ports = [new BridgePortSpec { Port = "c" }, new BridgePortSpec { Port = "a" }] }] };
        Assert.Equal(["bridges[1].name", "bridges[1].ports[1].port"], SpecValidator.Validate(spec).Select(error => error.Path));
    }

    private static string Error(Func<BridgeSpec, BridgeSpec> change)
    {
        ConfigurationError error = Assert.Single(SpecValidator.Validate(s_good with { Bridges = [change(s_good.Bridges[0])] }));
        return $"{error.Path}: \"{error.Value}\": {error.Message}";
    }
}
