using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tracking;
using static Dataplane.Tests.Tracking.TrackedNet;

namespace Dataplane.Tests.Tracking;

/// <summary>Packets that come behind the filter a second time, and connections that were there before anybody asked for states.</summary>
public sealed class HeldConnectionTests
{
    private const TcpFlags Ack = TcpFlags.Ack;

    /// <summary>What waited for a neighbour has been judged and followed before; what another packet of the batch was found to be is not its own.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task WaitingForANeighbour_ChangesNothingTwice(int family)
    {
        TrackedNet net = Of(family);
        await using TestPlane plane = TestPlane.Create(builder => StatefulRules(builder), withNeighbours: false);
        Assert.DoesNotContain(plane.Send("lan", net.Out(TcpFlags.Syn, 100, 0)), sent => IsTcp(sent.Frame, family));
        Assert.DoesNotContain(plane.Send("lan", net.FromInside().Udp(7, 53).Build()), sent => sent.Port == "lan");

        // Invalid, and last in the same place of the batch as what is then released.
        plane.Send("wan", net.In(Ack, 1, 2));
        byte[] answer = family == 4
            ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).ArpReply("198.51.100.2", TestPlane.WanMac.ToString(), "198.51.100.1").Build()
            : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", "2001:db8:1::1", 255).NeighbourAdvertisement(
                new NeighbourAdvertisementFields { Target = net.Outside, IsSolicited = true, TargetLinkLayerAddress = TestPlane.ClientMac }).Build();
        Assert.Equal(2, plane.Send("wan", answer).Count(sent => sent.Port == "wan"));
        Assert.Equal(4, plane.Engine.ReadFlows().Count);
        Assert.Equal(2, plane.Engine.ReadConnections().Flows);
        Assert.Equal("established", StateOf(plane, "wan", net.In(TcpFlags.Syn | Ack, 500, 101)));
        Assert.Equal("new", StateOf(plane, "lan", net.FromInside().Udp(7, 53).Build()));
    }

    /// <summary>A reload that brings the first rule with states leaves the connections of services alone, and follows them from then on.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Update_TheFirstRuleWithStates_TakesConnectionsOfServicesOver(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: 11);
        plane.SendForOne("wan", net.FromClient().Tcp(7, 80, TcpFlags.Syn, 100, 0, 1000).Build(), "lan");
        plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 7, TcpFlags.Syn | Ack, 500, 101, 1000).Build(), "wan");
        plane.SendForOne("wan", net.FromClient().Tcp(7, 80, Ack, 101, 501, 1000).Build(), "lan");
        Task update = plane.Engine.UpdateAsync(spec => spec with
        {
            Filter = new FilterSpec { Default = FilterAction.Deny, Rules = [new FilterRuleSpec { State = ConnectionStates.Established }, new FilterRuleSpec { Name = "bad", Action = FilterAction.Deny, State = ConnectionStates.Invalid }] },
        });
        plane.Run();
        await update;
        for (uint turn = 0; turn < 3; turn++)
        {
            plane.SendForOne("wan", net.FromClient().Tcp(7, 80, Ack, 101 + turn, 501, 1000).PayloadOf(1).Build(), "lan");
        }

        plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 7, Ack, 501, 104, 1000).Build(), "wan");
        Invalid(plane, "lan", net.FromBackend(11).Tcp(8080, 7, Ack, 501, 105, 1000).Build(), StateReason.AcknowledgesUnsent);
        Denied(plane, "wan", net.FromClient().Tcp(8, 80, TcpFlags.Syn, 100).Build());
    }

    /// <summary>A service whose backend answers past the engine: only half of its connections is seen, and that half passes.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task DirectServerReturn_PassesByTheRuleForNewOnes(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => StatefulRules(net.Add(builder, "web", 80, tcp: true, Dataplane.Balancing.BalancePolicy.RoundRobin, 11))
            .Filter(filter => filter.Allow(protocol: 6, toPort: "80", state: ConnectionStates.New)));
        Task update = plane.Engine.UpdateAsync(spec => spec with
        {
            Services = [.. spec.Services.Select(service => service with
            {
                Forward = Dataplane.Balancing.ForwardMode.Dsr,
                Backends = [.. service.Backends.Select(backend => backend with { Port = 80 })],
            })],
        });
        plane.Run();
        await update;
        foreach ((TcpFlags flags, uint sequence) in new[] { (TcpFlags.Syn, 100u), (Ack, 101u), (Ack | TcpFlags.Psh, 900_000u), (Ack | TcpFlags.Fin, 5u), (TcpFlags.Syn, 7u), (Ack, 8u) })
        {
            byte[] frame = net.FromClient().Tcp(7, 80, flags, sequence, 1).Build();
            Assert.Equal("new", StateOf(plane, "wan", frame));
            plane.SendForOne("wan", frame, "lan");
        }

        Invalid(plane, "wan", net.FromClient().Tcp(7, 80, TcpFlags.Fin | TcpFlags.Urg, 9, 1).Build(), StateReason.BadFlags);
    }

    private static bool IsTcp(byte[] frame, int family) => frame.Length > 40 && frame[family == 4 ? 23 : 20] == IpProtocols.Tcp && frame[12] == (family == 4 ? 0x08 : 0x86);
}
