using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Switching;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Switching;

/// <summary>Two networks with two endpoints each, and an outside, in both families.</summary>
/// <remarks>blue: a and b, red: c and d, ports of the same names; wan: a client at 198.51.100.2 and 2001:db8:1::2.</remarks>
internal static class NetworkPlane
{
    public static readonly MacAddress Blue = new NetworkSpec { Name = "blue" }.GatewayMac;
    public static readonly MacAddress Red = new NetworkSpec { Name = "red" }.GatewayMac;

    public static readonly string[] PortNames = ["wan", "a", "b", "c", "d"];

    public static MacAddress MacOf(string name) => name switch
    {
        "wan" => TestPlane.ClientMac,
        _ => new MacAddress(0x0200_0A00_0000UL | name[0]),
    };

    public static MacAddress GatewayOf(string name) => name is "a" or "b" ? Blue : name is "c" or "d" ? Red : TestPlane.WanMac;

    /// <summary>The address of an endpoint, of the client outside, or of a gateway: blue, red, wan-gateway.</summary>
    public static IpAddress AddressOf(string name, int family) => IpAddress.Parse((name, family) switch
    {
        ("a", 4) => "10.89.0.2",
        ("b", 4) => "10.89.0.3",
        ("c", 4) => "10.90.0.2",
        ("d", 4) => "10.90.0.3",
        ("a", _) => "fd00:89::2",
        ("b", _) => "fd00:89::3",
        ("c", _) => "fd00:90::2",
        ("d", _) => "fd00:90::3",
        ("blue", 4) => "10.89.0.1",
        ("red", 4) => "10.90.0.1",
        ("blue", _) => "fd00:89::1",
        ("red", _) => "fd00:90::1",
        ("wan", 4) => "198.51.100.2",
        ("wan", _) => "2001:db8:1::2",
        _ => throw new ArgumentException(name),
    });

    public static NetworkSpec Network(string name, int octet, params string[] endpoints) => new()
    {
        Name = name,
        Subnets = [IpPrefix.Parse($"10.{octet}.0.0/24"), IpPrefix.Parse($"fd00:{octet}::/64")],
        Endpoints = [.. endpoints.Select(Endpoint)],
    };

    public static EndpointSpec Endpoint(string name) => new()
    {
        Name = name,
        Port = name,
        Mac = MacOf(name),
        Addresses = [AddressOf(name, 4), AddressOf(name, 6)],
    };

    public static TestPlane Create(
        Func<NetworkSpec, NetworkSpec>? blue = null, Func<NetworkSpec, NetworkSpec>? red = null, Action<DataplaneBuilder>? configure = null) =>
        TestPlane.Create(PortNames, builder =>
        {
            builder.Interface("wan", "198.51.100.1/24").Interface("wan", "2001:db8:1::1/64")
                .Neighbour("wan", "198.51.100.2", TestPlane.ClientMac.ToString()).Neighbour("wan", "2001:db8:1::2", TestPlane.ClientMac.ToString())
                .Network((blue ?? (spec => spec))(Network("blue", 89, "a", "b"))).Network((red ?? (spec => spec))(Network("red", 90, "c", "d")));
            configure?.Invoke(builder);
        });

    /// <summary>A packet from one to another by the gateway.</summary>
    public static PacketBuilder Routed(string from, string to, int family, byte ttl = 64) =>
        PacketBuilder.Ethernet(MacOf(from), GatewayOf(from)).Ip(AddressOf(from, family), AddressOf(to, family), ttl);

    /// <summary>The same as it arrives.</summary>
    public static PacketBuilder Arrived(string from, string to, int family, byte ttl = 63) =>
        PacketBuilder.Ethernet(GatewayOf(to), MacOf(to)).Ip(AddressOf(from, family), AddressOf(to, family), ttl);

    /// <summary>A packet straight to the other's hardware address.</summary>
    public static PacketBuilder Direct(string from, string to, int family, byte ttl = 64) =>
        PacketBuilder.Ethernet(MacOf(from), MacOf(to)).Ip(AddressOf(from, family), AddressOf(to, family), ttl);

    public static void Same(byte[] expected, byte[] actual) => Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(actual));

    /// <summary>Sends a packet that must arrive as another.</summary>
    public static void Passes(this TestPlane plane, string from, PacketBuilder sent, string to, PacketBuilder expected) =>
        Same(expected.Build(), plane.SendForOne(from, sent.Build(), to));

    /// <summary>Sends a packet that must be dropped without a word to anybody but its sender.</summary>
    public static IReadOnlyList<(string Port, byte[] Frame)> Dies(this TestPlane plane, string from, PacketBuilder sent, DropReason reason)
    {
        IReadOnlyList<(string Port, byte[] Frame)> made = plane.SendForDrop(from, sent.Build(), reason);
        Assert.All(made, frame => Assert.Equal(from, frame.Port));
        return made;
    }
}
