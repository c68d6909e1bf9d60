using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reassembly;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Nat;

/// <summary>Inside hosts that use a service whose backend is beside them (RFC 4787 REQ-9, RFC 5382 REQ-8): both only ever see the gateway.</summary>
public sealed class HairpinTests
{
    /// <summary>With several workers the port is chosen so that the answer comes to the flow's own: it is hardly ever the client's.</summary>
    private static TestPlane Create(bool tcp, bool withNat = true, int workers = 1) => TestPlane.Create(builder =>
    {
        builder.Workers(spec => spec with { Count = workers });
        ServiceNet.V4.Add(builder, "v4", 80, tcp, BalancePolicy.RoundRobin, 11);
        ServiceNet.V6.Add(builder, "v6", 80, tcp, BalancePolicy.RoundRobin, 11);
        if (withNat)
        {
            builder.Nat("lan", "wan");
        }
    });

    private static PacketBuilder FromHost(int family, int host) =>
        PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(NatNet.Of(family).Inside(host), ServiceNet.Of(family).Service);

    private static PacketBuilder AtHost(int family, int host) =>
        PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(ServiceNet.Of(family).Service, NatNet.Of(family).Inside(host), 63);

    private static PacketBuilder AtBackend(int family) =>
        PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(NatNet.Of(family).Gateway, NatNet.Of(family).Inside(11), 63);

    private static PacketBuilder FromBackend(int family) =>
        PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(NatNet.Of(family).Inside(11), NatNet.Of(family).Gateway);

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_WithItsBackendBesideTheClient_IsTranslatedBothWaysByteExact(int family)
    {
        await using TestPlane plane = Create(tcp: true);
        foreach (TcpFlags flags in new[] { TcpFlags.Syn, TcpFlags.Ack, TcpFlags.Ack | TcpFlags.Psh })
        {
            NatNet.Same(AtBackend(family).Tcp(40000, 8080, flags, 5, 6).PayloadOf(9).Build(),
                plane.SendForOne("lan", FromHost(family, 12).Tcp(40000, 80, flags, 5, 6).PayloadOf(9).Build(), "lan"));
            NatNet.Same(AtHost(family, 12).Tcp(80, 40000, flags | TcpFlags.Ack, 7, 8).PayloadOf(11).Build(),
                plane.SendForOne("lan", FromBackend(family).Tcp(8080, 40000, flags | TcpFlags.Ack, 7, 8).PayloadOf(11).Build(), "lan"));
        }

        // A second host of the same port gets another, and so does the backend itself.
        foreach (int host in new[] { 13, 11 })
        {
            byte[] sent = plane.SendForOne("lan", FromHost(family, host).Tcp(40000, 80).Build(), "lan");
            ushort port = (ushort)ReferenceDecoder.Decode(sent).SourcePort;
            Assert.NotEqual(40000, port);
            NatNet.Same(AtBackend(family).Tcp(port, 8080).Build(), sent);
            NatNet.Same(AtHost(family, host).Tcp(80, 40000, TcpFlags.Syn | TcpFlags.Ack).Build(),
                plane.SendForOne("lan", FromBackend(family).Tcp(8080, port, TcpFlags.Syn | TcpFlags.Ack).Build(), "lan"));
        }

        // From outside, the client's own address is seen.
        ServiceNet net = ServiceNet.Of(family);
        ServiceNet.Same(net.AtBackend(11).Tcp(7, 8080).Build(), plane.SendForOne("wan", net.FromClient().Tcp(7, 80).Build(), "lan"));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Fragments_ToAServiceBesideTheClient_FollowTheFirst(int family)
    {
        await using TestPlane plane = Create(tcp: false);
        IReadOnlyList<byte[]> fragments = Pieces.Of(FromHost(family, 12).Udp(7, 80).PayloadOf(2500), 1024, 3);
        string[] sent = [.. new[] { 1, 0, 2 }.SelectMany(piece => plane.Send("lan", fragments[piece])).Select(frame => Convert.ToHexString(frame.Frame)).Order()];
        Assert.Equal(Pieces.Of(AtBackend(family).Udp(7, 8080).PayloadOf(2500), 1024, 3).Select(Convert.ToHexString).Order(), sent);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task SeveralWorkers_EveryAnswerFindsItsClient(int family)
    {
        await using TestPlane plane = Create(tcp: true, workers: 3);
        for (ushort port = 40000; port < 40100; port++)
        {
            byte[] sent = plane.SendForOne("lan", FromHost(family, 12).Tcp(port, 80).Build(), "lan");
            ushort taken = (ushort)ReferenceDecoder.Decode(sent).SourcePort;
            NatNet.Same(AtBackend(family).Tcp(taken, 8080).Build(), sent);
            NatNet.Same(AtHost(family, 12).Tcp(80, port, TcpFlags.Syn | TcpFlags.Ack).Build(),
                plane.SendForOne("lan", FromBackend(family).Tcp(8080, taken, TcpFlags.Syn | TcpFlags.Ack).Build(), "lan"));
        }
    }

    [Fact]
    public async Task WithoutARule_TheClientKeepsItsAddress()
    {
        await using TestPlane plane = Create(tcp: true, withNat: false);
        byte[] sent = plane.SendForOne("lan", FromHost(4, 12).Tcp(40000, 80).Build(), "lan");
        Assert.Equal("10.1.0.12", ReferenceDecoder.Decode(sent).Source);
    }
}
