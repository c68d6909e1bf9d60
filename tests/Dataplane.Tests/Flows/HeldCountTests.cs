using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Telemetry;
using Dataplane.Tests.Nat;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Flows;

/// <summary>Packets that wait for a neighbour come to the flow table twice, and are one packet all the same.</summary>
public sealed class HeldCountTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task PacketsOfATranslatedFlow_ThatWaitForANeighbour_AreCountedOnce(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"), withNeighbours: false);
        for (int i = 0; i < 3; i++)
        {
            Assert.DoesNotContain(plane.Send("lan", net.FromInside(11).Udp(40000, 443).Build()), sent => sent.Port == "wan" && IsOf(IpProtocols.Udp, sent.Frame, family));
        }

        Assert.Equal(3, plane.Send("wan", AnswerOf("wan", family)).Count(sent => sent.Port == "wan" && IsOf(IpProtocols.Udp, sent.Frame, family)));
        Assert.Equal((1L, 3L), (plane.Engine.ReadNat().Sum(nat => nat.Flows), plane.Engine.ReadNat().Sum(nat => nat.Packets)));
    }

    /// <summary>Passive health checks take a SYN that is sent again for one that nobody has answered; this one had not left.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Syn_ThatWaitsForTheBackendsAddress_IsNoSignOfItsIllness(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11), withNeighbours: false);
        plane.Send("wan", net.FromClient().Tcp(7, 80, TcpFlags.Syn).Build());
        Assert.Single(plane.Send("lan", AnswerOf("lan", family, host: 11)), sent => sent.Port == "lan" && IsOf(IpProtocols.Tcp, sent.Frame, family));
        BackendStatus backend = Assert.Single(plane.Engine.ReadServices()[0].Backends);
        Assert.Equal((1L, 1L, 0L), (backend.Flows, backend.Packets, backend.Unanswered));

        // The client's own second SYN is one.
        plane.Send("wan", net.FromClient().Tcp(7, 80, TcpFlags.Syn).Build());
        backend = Assert.Single(plane.Engine.ReadServices()[0].Backends);
        Assert.Equal((1L, 2L, 1L), (backend.Flows, backend.Packets, backend.Unanswered));
    }

    private static byte[] AnswerOf(string port, int family, int host = 2)
    {
        (MacAddress from, MacAddress to) = port == "wan" ? (TestPlane.ClientMac, TestPlane.WanMac) : (TestPlane.ServerMac, TestPlane.LanMac);
        (string net4, string net6) = port == "wan" ? ("198.51.100.", "2001:db8:1::") : ("10.1.0.", "2001:db8:2::");
        return family == 4
            ? PacketBuilder.Ethernet(from, to).ArpReply(net4 + host, to.ToString(), net4 + 1).Build()
            : PacketBuilder.Ethernet(from, to).Ipv6(net6 + host, net6 + 1, 255).NeighbourAdvertisement(
                new NeighbourAdvertisementFields { Target = IpAddress.Parse(net6 + host), IsSolicited = true, TargetLinkLayerAddress = from }).Build();
    }

    private static bool IsOf(byte protocol, byte[] frame, int family) => frame.Length > 40 && frame[family == 4 ? 23 : 20] == protocol && frame[12] == (family == 4 ? 0x08 : 0x86);
}
