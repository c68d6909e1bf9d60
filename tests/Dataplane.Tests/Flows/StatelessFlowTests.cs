using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Nat;
using Dataplane.Tests.Pipeline;
using Dataplane.Tracking;

namespace Dataplane.Tests.Flows;

/// <summary>Services behind a flow table that is full of established connections: those stay, and new ones are served by the hash alone.</summary>
public sealed class StatelessFlowTests
{
    private const TcpFlags Syn = TcpFlags.Syn, Ack = TcpFlags.Ack;

    public static TheoryData<int, BalancePolicy> FamiliesAndPolicies => new()
    {
        { 4, BalancePolicy.Maglev }, { 6, BalancePolicy.Maglev }, { 4, BalancePolicy.RoundRobin }, { 6, BalancePolicy.Weighted },
    };

    [Theory]
    [MemberData(nameof(FamiliesAndPolicies))]
    public async Task FullTable_OfEstablishedConnections_ServesNewOnesByHashAndLosesNone(int family, BalancePolicy policy)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(policy: policy, flowEntries: 1024, hosts: [11, 12, 13]);
        Dictionary<ushort, int> kept = Fill(plane, net);
        Assert.False(plane.Engine.ReadFigures().IsStateless);

        // Long idle, and established all the same.
        plane.Clock.Advance(TimeSpan.FromSeconds(7000));
        var hosts = new Dictionary<ushort, int>();
        for (ushort port = 30_000; port < 30_300; port++)
        {
            hosts[port] = ServiceFlowLifeTests.Connect(plane, net, port);
        }

        foreach ((ushort port, int host) in hosts)
        {
            byte[] sent = plane.SendForOne("wan", net.FromClient().Tcp(port, 80, Ack).PayloadOf(100).Build(), "lan");
            ServiceNet.Same(net.AtBackend(host).Tcp(port, 8080, Ack).PayloadOf(100).Build(), sent);
            sent = plane.SendForOne("lan", net.FromBackend(host).Tcp(8080, port, Ack).PayloadOf(100).Build(), "wan");
            ServiceNet.Same(net.AtClient().Tcp(80, port, Ack).PayloadOf(100).Build(), sent);
        }

        Assert.All(Enumerable.Range(11, 3), host => Assert.InRange(hosts.Values.Count(other => other == host), 40, 160));
        EngineFigures figures = plane.Engine.ReadFigures();
        Assert.Equal((true, 1L, 300 * 5L, 0L, 0L), (figures.IsStateless, figures.StatelessSwitches, figures.StatelessPackets, figures.FlowsEvicted, figures.FlowsExpired));
        Assert.Equal(kept, kept.Keys.ToDictionary(port => port, port => net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80, Ack).Build(), "lan"))));
    }

    /// <summary>When there is room again, a connection served without a flow gets one, by the next packet of the client, and stays where it was.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task RoomAgain_ConnectionsGetTheirFlowsAndStay(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(policy: BalancePolicy.Maglev, flowEntries: 1024, hosts: [11, 12, 13]);
        Dictionary<ushort, int> before = Fill(plane, net);
        int host = ServiceFlowLifeTests.Connect(plane, net, 30_000);
        foreach (ushort port in before.Keys)
        {
            plane.Send("wan", net.FromClient().Tcp(port, 80, TcpFlags.Fin | Ack).Build());
        }

        long stateless = plane.Engine.ReadFigures().StatelessPackets;
        Assert.Equal(host, net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(30_000, 80, Ack).Build(), "lan")));
        ServiceNet.Same(net.AtClient().Tcp(80, 30_000, Ack).Build(), plane.SendForOne("lan", net.FromBackend(host).Tcp(8080, 30_000, Ack).Build(), "wan"));
        Assert.Equal(stateless, plane.Engine.ReadFigures().StatelessPackets);
        Assert.Contains(plane.Engine.ReadFlows(2000), flow => flow.SourcePort == 30_000);
        plane.Wait(TimeSpan.FromSeconds(61));
        Assert.False(plane.Engine.ReadFigures().IsStateless);
        Assert.Equal(1, plane.Engine.ReadFigures().StatelessSwitches);
    }

    /// <summary>Who speaks to a backend past its service meanwhile is answered by the backend, as before.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Backend_SpokenToPastItsService_AnswersInItsOwnName(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(policy: BalancePolicy.Maglev, flowEntries: 1024, hosts: [11, 12, 13]);
        Fill(plane, net);
        ServiceFlowLifeTests.Connect(plane, net, 30_000);
        PacketBuilder past = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(net.Client, net.Backend(11));
        plane.SendForOne("wan", past.Tcp(31_000, 8080, Syn).Build(), "lan");
        ServiceNet.Same(PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(net.Backend(11), net.Client, 63).Tcp(8080, 31_000, Syn | Ack).Build(),
            plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 31_000, Syn | Ack).Build(), "wan"));
    }

    /// <summary>What a backend begins itself is no answer, though it be from and to the same ports.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Backend_ThatBeginsAConnection_KeepsItsName(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(policy: BalancePolicy.Maglev, flowEntries: 1024, hosts: [11, 12, 13]);
        Fill(plane, net);
        int host = ServiceFlowLifeTests.Connect(plane, net, 30_000);
        long stateless = plane.Engine.ReadFigures().StatelessPackets;
        ServiceNet.Same(PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(net.Backend(host), net.Client, 63).Tcp(8080, 30_000, Syn).Build(),
            plane.SendForOne("lan", net.FromBackend(host).Tcp(8080, 30_000, Syn).Build(), "wan"));
        Assert.Equal(stateless, plane.Engine.ReadFigures().StatelessPackets);
    }

    /// <summary>Packets that the backend's answers could not be told from are of a flow already: one it has begun itself, and whose source is translated.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Answers_ThatWouldBeOfAnotherFlow_AreNotCalledFor(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.Maglev, 11)
            .Nat("lan", "wan").Workers(workers => workers with { FlowEntries = 1024 }));
        var inside = NatNet.Of(family);
        plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 30_000, Syn).Build(), "wan");
        plane.SendForOne("wan", inside.FromOutside().Tcp(30_000, 8080, Syn | Ack).Build(), "lan");
        plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 30_000, Ack).Build(), "wan");
        Fill(plane, net);
        plane.SendForDrop("wan", net.FromClient().Tcp(30_000, 80, Syn).Build(), DropReason.FlowTableFull);
        ServiceFlowLifeTests.Connect(plane, net, 30_001);
        Assert.True(plane.Engine.ReadFigures().IsStateless);
    }

    /// <summary>Where something has to be remembered, there is no doing without: backends of two services, rules with states.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhatHasToBeRemembered_IsRefused(bool states)
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            net.Add(builder, "web", 80, tcp: false, BalancePolicy.Maglev, 11, 12, 13);
            builder.Workers(workers => workers with { FlowEntries = 1024 });
            if (states)
            {
                builder.Filter(filter => filter.Allow(state: ConnectionStates.New | ConnectionStates.Established).DefaultDeny());
            }
            else
            {
                net.Add(builder, "web2", 81, tcp: false, BalancePolicy.Maglev, 11, 12, 13);
            }
        });
        Fill(plane, net, ServiceFlowLifeTests.Talk);
        plane.SendForDrop("wan", net.FromClient().Udp(30_000, 80).Build(), DropReason.FlowTableFull);
        Assert.Equal((false, 0L), (plane.Engine.ReadFigures().IsStateless, plane.Engine.ReadFigures().StatelessSwitches));
    }

    /// <summary>Direct server return needs no way back.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task DirectReturn_GoesToTheSameBackendEachTime(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Workers(workers => workers with { FlowEntries = 1024 })
            .Service("web", net.Service.ToString(), 80, service => service.Maglev().Dsr().Backend(net.Backend(11).ToString(), 80).Backend(net.Backend(12).ToString(), 80)));
        for (ushort port = 1000; port < 1512; port++)
        {
            plane.SendForOne("wan", net.FromClient().Tcp(port, 80).Build(), "lan");
            plane.SendForOne("wan", net.FromClient().Tcp(port, 80, Ack).Build(), "lan");
        }

        byte[] first = plane.SendForOne("wan", net.FromClient().Tcp(30_000, 80).Build(), "lan");
        byte[] second = plane.SendForOne("wan", net.FromClient().Tcp(30_000, 80).Build(), "lan");
        ServiceNet.Same(first, second);
        Assert.Equal(2, plane.Engine.ReadFigures().StatelessPackets);
    }

    /// <summary>Established connections, as many as there is room for.</summary>
    private static Dictionary<ushort, int> Fill(TestPlane plane, ServiceNet net, Func<TestPlane, ServiceNet, ushort, int>? open = null)
    {
        open ??= ServiceFlowLifeTests.Connect;
        var hosts = new Dictionary<ushort, int>();
        EngineFigures figures = plane.Engine.ReadFigures();
        for (ushort port = 1000; figures.FlowEntries + (2 * TestPlane.Workers) <= figures.FlowCapacity && port < 4000; port++)
        {
            hosts[port] = open(plane, net, port);
            figures = plane.Engine.ReadFigures();
        }

        return hosts;
    }
}
