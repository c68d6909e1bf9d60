using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Services and source translation from and to endpoints, whichever network client and server are in.</summary>
public sealed class HairpinTests
{
    public static TheoryData<int> Families => [4, 6];

    /// <summary>A service outside the networks, whose server is one endpoint.</summary>
    private static IpAddress Service(int family) => IpAddress.Parse(family == 4 ? "198.51.100.80" : "2001:db8:1::80");

    private static TestPlane CreateWith(string server, int family, Func<Dataplane.Switching.NetworkSpec, Dataplane.Switching.NetworkSpec>? blue = null,
        Func<Dataplane.Switching.NetworkSpec, Dataplane.Switching.NetworkSpec>? red = null) => Create(blue, red,
        builder => builder.Service("web", Service(family).ToString(), 80, service => service.Backend(AddressOf(server, family).ToString(), 8080)));

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_FromOutside_KeepsTheClientsAddress(int family)
    {
        await using TestPlane plane = CreateWith("a", family);
        AssertConnection(plane, "wan", "a", family, AddressOf("wan", family));
    }

    [Theory]
    [InlineData(4, "a", "b")]
    [InlineData(6, "a", "b")]
    [InlineData(4, "a", "c")]
    [InlineData(6, "c", "b")]
    public async Task Service_FromAnEndpointToAnother_KeepsTheClientsAddress(int family, string client, string server)
    {
        await using TestPlane plane = CreateWith(server, family);
        AssertConnection(plane, client, server, family, AddressOf(client, family));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_InTheSameNetwork_AnswersComeBackThoughTheyAreSentStraightToTheClient(int family)
    {
        await using TestPlane plane = CreateWith("b", family);
        for (int round = 0; round < 3; round++)
        {
            plane.Passes("a", ToService("a", family).Tcp(4000, 80), "b",
                PacketBuilder.Ethernet(Blue, MacOf("b")).Ip(AddressOf("a", family), AddressOf("b", family), 63).Tcp(4000, 8080));
            plane.Passes("b", Direct("b", "a", family).Tcp(8080, 4000, TcpFlags.Syn | TcpFlags.Ack), "a",
                PacketBuilder.Ethernet(Blue, MacOf("a")).Ip(Service(family), AddressOf("a", family), 63).Tcp(80, 4000, TcpFlags.Syn | TcpFlags.Ack));
        }

        // What is not that connection's goes straight on.
        plane.Passes("b", Direct("b", "a", family).Tcp(8080, 4001), "a", Direct("b", "a", family).Tcp(8080, 4001));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_InAnIsolatedNetwork_IsReachedAllTheSame(int family)
    {
        await using TestPlane plane = CreateWith("b", family, blue => blue with { Isolate = true });
        AssertConnection(plane, "a", "b", family, AddressOf("a", family));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_ThatLeadsToItsOwnClient_ComesFromTheGateway(int family)
    {
        await using TestPlane plane = CreateWith("a", family);
        AssertConnection(plane, "a", "a", family, AddressOf("blue", family));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_IntoOrOutOfAnInternalNetwork_IsRefused(int family)
    {
        await using TestPlane plane = CreateWith("c", family, red: red => red with { Internal = true });
        plane.Dies("a", ToService("a", family).Tcp(4000, 80), DropReason.NetworkIsolated);
        plane.Dies("wan", ToService("wan", family).Tcp(4000, 80), DropReason.NetworkIsolated);
        AssertConnection(plane, "d", "c", family, AddressOf("d", family));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_IcmpErrorFromTheServerInAnotherNetwork_ReachesTheClient(int family)
    {
        await using TestPlane plane = CreateWith("c", family);
        byte[] seen = plane.SendForOne("a", ToService("a", family).Tcp(4000, 80).Build(), "c");
        byte[] quoted = seen[14..];
        PacketBuilder error = PacketBuilder.Ethernet(MacOf("c"), Red).Ip(AddressOf("c", family), AddressOf("a", family));
        error = family == 4 ? error.Icmpv4(new Icmpv4Fields { Type = 3, Code = 3 }) : error.Icmpv6(new Icmpv6Fields { Type = 1, Code = 4 });
        byte[] arrived = plane.SendForOne("c", error.Payload(quoted).Build(), "a");
        ReferencePacket read = ReferenceDecoder.Decode(arrived);
        Assert.Equal(Service(family).ToString(), read.Source);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Nat_FromANetwork_TakesTheOutsideAddressForEachEndpoint(int family)
    {
        await using TestPlane plane = Create(configure: builder => builder.Nat("blue", "wan"));
        IpAddress outside = IpAddress.Parse(family == 4 ? "198.51.100.1" : "2001:db8:1::1");
        foreach (string name in new[] { "a", "b" })
        {
            ushort port = (ushort)(4000 + name[0]);
            plane.Passes(name, Routed(name, "wan", family).Udp(port, 53), "wan",
                PacketBuilder.Ethernet(TestPlane.WanMac, MacOf("wan")).Ip(outside, AddressOf("wan", family), 63).Udp(port, 53));
            plane.Passes("wan", PacketBuilder.Ethernet(MacOf("wan"), TestPlane.WanMac).Ip(AddressOf("wan", family), outside).Udp(53, port), name,
                Arrived("wan", name, family).Udp(53, port));
        }

        // The other network is not in the rule.
        plane.Passes("c", Routed("c", "wan", family).Udp(1, 53), "wan", Arrived("c", "wan", family).Udp(1, 53));
    }

    private static PacketBuilder ToService(string client, int family) => PacketBuilder.Ethernet(MacOf(client), GatewayOf(client)).Ip(AddressOf(client, family), Service(family));

    /// <summary>A connection to the service and back, several packets each way; the server answers to whom it believes to hear from, by the gateway.</summary>
    private static void AssertConnection(TestPlane plane, string client, string server, int family, IpAddress believed)
    {
        ushort port = 4000;
        for (int round = 0; round < 4; round++)
        {
            TcpFlags flags = round == 0 ? TcpFlags.Syn : TcpFlags.Ack;
            byte[] there = plane.SendForOne(client, ToService(client, family).Tcp(4000, 80, flags).PayloadOf(round * 100).Build(), server);
            ReferencePacket seen = ReferenceDecoder.Decode(there);
            Assert.Equal((believed.ToString(), AddressOf(server, family).ToString()), (seen.Source, seen.Destination));
            port = (ushort)((there[there.Length - (round * 100) - 20] << 8) | there[there.Length - (round * 100) - 19]);
            Same(PacketBuilder.Ethernet(GatewayOf(server), MacOf(server)).Ip(believed, AddressOf(server, family), 63).Tcp(port, 8080, flags).PayloadOf(round * 100).Build(), there);
            plane.Passes(server, PacketBuilder.Ethernet(MacOf(server), GatewayOf(server)).Ip(AddressOf(server, family), believed).Tcp(8080, port, flags | TcpFlags.Ack),
                client, PacketBuilder.Ethernet(GatewayOf(client), MacOf(client)).Ip(Service(family), AddressOf(client, family), 63).Tcp(80, 4000, flags | TcpFlags.Ack));
        }
    }
}
