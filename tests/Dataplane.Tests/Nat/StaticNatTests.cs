using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reassembly;
using Dataplane.Tracking;

namespace Dataplane.Tests.Nat;

/// <summary>An outside address that stands for one inside host: both may begin, and each sees the same of the other.</summary>
public sealed class StaticNatTests
{
    private static IpAddress Stands(int family) => IpAddress.Parse(family == 4 ? "198.51.100.11" : "2001:db8:1::11");

    /// <summary>Host 11 has an address of its own; the others share the gateway's.</summary>
    private static DataplaneBuilder Rules(DataplaneBuilder builder)
    {
        foreach (int family in new[] { 4, 6 })
        {
            IpAddress host = NatNet.Of(family).Inside(11);
            builder.Nat(new NatSpec { Inside = "lan", Outside = "wan", From = new IpPrefix(host, host.BitLength), Pool = [Stands(family)], Static = true });
        }

        return builder.Nat("lan", "wan");
    }

    private static TestPlane Create(Action<DataplaneBuilder>? more = null) => TestPlane.Create(builder => more?.Invoke(Rules(builder)));

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task BothMayBegin_AndAllIsTranslatedByteExact(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Create(_ => { });
        for (int turn = 0; turn < 3; turn++)
        {
            NatNet.Same(net.AtInside(11).Tcp(7, 22, TcpFlags.Ack).PayloadOf(9).Build(),
                plane.SendForOne("wan", net.FromOutside(Stands(family)).Tcp(7, 22, TcpFlags.Ack).PayloadOf(9).Build(), "lan"));
            NatNet.Same(net.AtOutside(Stands(family)).Tcp(22, 7, TcpFlags.Ack).PayloadOf(8).Build(),
                plane.SendForOne("lan", net.FromInside(11).Tcp(22, 7, TcpFlags.Ack).PayloadOf(8).Build(), "wan"));
            NatNet.Same(net.AtInside(11).EchoRequest(5, 1).PayloadOf(56).Build(), plane.SendForOne("wan", net.FromOutside(Stands(family)).EchoRequest(5, 1).PayloadOf(56).Build(), "lan"));
            NatNet.Same(net.AtOutside(Stands(family)).EchoReply(5, 1).PayloadOf(56).Build(), plane.SendForOne("lan", net.FromInside(11).EchoReply(5, 1).PayloadOf(56).Build(), "wan"));
            NatNet.Same(net.AtOutside(Stands(family)).Udp(9, 53).Build(), plane.SendForOne("lan", net.FromInside(11).Udp(9, 53).Build(), "wan"));
            NatNet.Same(net.AtInside(11).Udp(53, 9).Build(), plane.SendForOne("wan", net.FromOutside(Stands(family)).Udp(53, 9).Build(), "lan"));
        }

        // The others keep theirs, and nothing else of the address gets in.
        NatNet.Same(net.AtOutside().Udp(9, 53).Build(), plane.SendForOne("lan", net.FromInside(12).Udp(9, 53).Build(), "wan"));
        plane.SendForDrop("wan", net.FromOutside(Stands(family)).Carrying(47).PayloadOf(9).Build(), DropReason.LocalUnreachable);
        NatStatus status = Assert.Single(plane.Engine.ReadNat(), entry => entry.Address == Stands(family));
        Assert.Equal((3L, 18L), (status.Flows, status.Packets));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Fragments_ReachTheHost(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Create(_ => { });
        IReadOnlyList<byte[]> fragments = Pieces.Of(net.FromOutside(Stands(family)).EchoRequest(5, 1).PayloadOf(2500), 1024, 3);
        string[] sent = [.. new[] { 2, 0, 1 }.SelectMany(piece => plane.Send("wan", fragments[piece])).Select(frame => Convert.ToHexString(frame.Frame)).Order()];
        Assert.Equal(Pieces.Of(net.AtInside(11).EchoRequest(5, 1).PayloadOf(2500), 1024, 3).Select(Convert.ToHexString).Order(), sent);
    }

    /// <summary>A host beside it that uses the address outside is seen with the gateway's, so that the answer comes back through it.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task HostsBeside_GetThereByTheOutsideAddress(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Create(builder => builder.Workers(workers => workers with { Count = 1 }));
        byte[] sent = plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(net.Inside(12), Stands(family)).Tcp(7, 80).Build(), "lan");
        NatNet.Same(PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(net.Gateway, net.Inside(11), 63).Tcp(7, 80).Build(), sent);
        NatNet.Same(PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(Stands(family), net.Inside(12), 63).Tcp(80, 7, TcpFlags.Syn | TcpFlags.Ack).Build(),
            plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(net.Inside(11), net.Gateway).Tcp(80, 7, TcpFlags.Syn | TcpFlags.Ack).Build(), "lan"));
    }

    [Fact]
    public async Task StatesAndServices_HoldForTheAddress()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = Create(builder => builder
            .Service("web", Stands(4).ToString(), 80, service => service.Tcp().Backend(net.Inside(13).ToString(), 8080))
            .Filter(filter => filter.Allow(state: ConnectionStates.Established | ConnectionStates.Related)
                .Allow(state: ConnectionStates.New, protocol: 6, toPort: "22").Allow(state: ConnectionStates.New, protocol: 6, toPort: "80").DefaultDeny()));
        plane.SendForDrop("wan", net.FromOutside(Stands(4)).Tcp(7, 23).Build(), DropReason.FilterDefault);
        NatNet.Same(net.AtInside(13).Tcp(7, 8080).Build(), plane.SendForOne("wan", net.FromOutside(Stands(4)).Tcp(7, 80).Build(), "lan"));
        NatNet.Same(net.AtInside(11).Tcp(7, 22, TcpFlags.Syn, 100).Build(), plane.SendForOne("wan", net.FromOutside(Stands(4)).Tcp(7, 22, TcpFlags.Syn, 100).Build(), "lan"));
        plane.SendForDrop("lan", net.FromInside(11).Tcp(22, 7, TcpFlags.Syn | TcpFlags.Ack, 5, 100).Build(), DropReason.FilterDefault);
        NatNet.Same(net.AtOutside(Stands(4)).Tcp(22, 7, TcpFlags.Syn | TcpFlags.Ack, 5, 101).Build(),
            plane.SendForOne("lan", net.FromInside(11).Tcp(22, 7, TcpFlags.Syn | TcpFlags.Ack, 5, 101).Build(), "wan"));
        Explanation said = plane.Engine.Explain(net.FromOutside(Stands(4)).Tcp(8, 22).Build(), "wan");
        Assert.Contains(said.Steps, step => step is { Stage: "nat", Outcome: "translated" });
    }
}
