using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Flows;

/// <summary>Flows from their first packet to their end: which backend they stay with, when they are forgotten, what a full table does.</summary>
public sealed class ServiceFlowLifeTests
{
    private const TcpFlags Syn = TcpFlags.Syn, Ack = TcpFlags.Ack, Fin = TcpFlags.Fin, Rst = TcpFlags.Rst;

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Update_BackendRemoved_MovesItsFlowsAtTheNextPacketAndNoOther(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11, 12, 13]);
        var hosts = new Dictionary<ushort, int>();
        for (ushort port = 1000; port < 1060; port++)
        {
            hosts[port] = net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80).Build(), "lan"));
        }

        Assert.Equal([20, 20, 20], hosts.Values.GroupBy(host => host).Select(group => group.Count()));
        await plane.Engine.UpdateAsync(spec => WithBackends(spec, backend => backend.Address != net.Backend(12), backend => backend));
        foreach ((ushort port, int before) in hosts)
        {
            int now = net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80, Ack).Build(), "lan"));
            Assert.True(before == 12 ? now is 11 or 13 : now == before, $"port {port}: backend {before} became {now}");
            Assert.Equal(now, net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80, Ack).Build(), "lan")));
        }
    }

    [Fact]
    public async Task Update_WeightZero_KeepsFlowsAndTakesNoNewOnes()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        int[] before = [.. Enumerable.Range(0, 10)
            .Select(i => net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp((ushort)(1000 + i), 80).Build(), "lan")))];
        await plane.Engine.UpdateAsync(spec => WithBackends(spec, _ => true, backend => backend with { Weight = backend.Address == net.Backend(11) ? 0 : 1 }));
        int[] after = [.. Enumerable.Range(0, 10)
            .Select(i => net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp((ushort)(1000 + i), 80, Ack).Build(), "lan")))];
        Assert.Equal(before, after);
        Assert.Equal(5, before.Count(host => host == 11));
        Assert.All(Enumerable.Range(0, 10), i =>
            Assert.Equal(12, net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp((ushort)(2000 + i), 80).Build(), "lan"))));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task NoBackend_DropsSilently(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create();
        Assert.Empty(plane.SendForDrop("wan", net.FromClient().Tcp(1000, 80).Build(), DropReason.NoBackend));
        Assert.Equal(0, plane.Engine.ReadFigures().FlowEntries);
    }

    [Fact]
    public async Task Syn_OnAClosingFlow_BeginsANewOne()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        Assert.Equal(11, Send(plane, net, Syn));
        Assert.Equal(11, Send(plane, net, Syn));
        Assert.Equal(11, Send(plane, net, Ack));
        Assert.Equal(11, Send(plane, net, Syn));
        Assert.Equal(11, Send(plane, net, Fin | Ack));
        Assert.Equal(11, Send(plane, net, Ack));
        Assert.Equal(12, Send(plane, net, Syn));
        Assert.Equal(12, Send(plane, net, Ack));
        BackendStatus[] backends = [.. plane.Engine.ReadServices()[0].Backends];
        Assert.Equal([1L, 1L], backends.Select(backend => backend.Flows));
    }

    /// <summary>The two ways of a connection are two queues: its ports may be in use again before the other side's last words have come.</summary>
    [Theory]
    [InlineData(4, Fin | Ack)]
    [InlineData(6, Fin | Ack)]
    [InlineData(4, Rst)]
    [InlineData(6, Rst | Ack)]
    public async Task LastWords_OfTheConnectionBefore_DoNotCloseTheOneThatBegins(int family, TcpFlags last)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11]);
        Assert.Equal(11, Send(plane, net, Syn));
        Assert.Equal(11, Send(plane, net, Rst));
        Assert.Equal(11, Send(plane, net, Syn));
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 40000, last).Build());
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 40000, Syn | Ack).Build());
        Assert.Equal(11, Send(plane, net, Ack));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_established", flow.State));

        // Its own end is one.
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 40000, last).Build());
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_closing", flow.State));
    }

    /// <summary>A SYN that is repeated, since its answer is late, stays with its backend, though the last word of the connection before has come meanwhile.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Syn_RepeatedBehindTheLastWordOfTheConnectionBefore_StaysWithItsBackend(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11, 12, 13]);
        int host = Send(plane, net, Syn);
        plane.Send("lan", net.FromBackend(host).Tcp(8080, 40000, Fin | Ack).Build());
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_transitory", flow.State));
        Assert.Equal(host, Send(plane, net, Syn));
    }

    /// <summary>Only the client begins a connection anew: a SYN of the backend on one that has ended is translated as it was, and begins nothing.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Syn_OfTheBackendOnAClosingFlow_BeginsNothing(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11]);
        Send(plane, net, Syn);
        Send(plane, net, Rst);
        ServiceNet.Same(net.AtClient().Tcp(80, 40000, Syn).Build(), plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 40000, Syn).Build(), "wan"));
        Assert.All(plane.Engine.ReadFlows(), flow => Assert.Equal("tcp_closing", flow.State));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task ReadFlows_RunningFlows_AreListedWithBothDirections(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11]);
        plane.Send("wan", net.FromClient().Tcp(1000, 80).Build());
        plane.Send("wan", net.FromClient().Tcp(1001, 80).Build());
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 1001, Syn | Ack).Build());
        plane.Send("wan", net.FromClient().Tcp(1001, 80, TcpFlags.Ack).Build());
        plane.Wait(TimeSpan.FromSeconds(3));
        IReadOnlyList<FlowStatus> flows = plane.Engine.ReadFlows();
        Assert.Equal(4, flows.Count);
        FlowStatus forward = Assert.Single(flows, flow => flow.IsForward && flow.SourcePort == 1001);
        Assert.Equal((net.Client, net.Service, 80, "tcp_established"), (forward.Source, forward.Destination, forward.DestinationPort, forward.State));
        Assert.Equal((net.Client, net.Backend(11), 8080), (forward.NewSource, forward.NewDestination, forward.NewDestinationPort));
        Assert.InRange(forward.Idle.TotalSeconds, 2.9, 3.1);
        FlowStatus reverse = Assert.Single(flows, flow => !flow.IsForward && flow.DestinationPort == 1000);
        Assert.Equal((net.Backend(11), 8080, net.Service, 80, "tcp_transitory"), (reverse.Source, reverse.SourcePort, reverse.NewSource, reverse.NewSourcePort, reverse.State));
        Assert.Equal(3, plane.Engine.ReadFlows(3).Count);
        Assert.Contains("tcp", forward.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Packets of the old and the new connection in one batch: the old leave by the old flow, whatever became of its entries.</summary>
    [Fact]
    public async Task Syn_BehindThePacketsOfTheOldConnectionInOneBatch_DisturbsNeither()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        Assert.Equal(11, Send(plane, net, Syn));
        Assert.Equal(11, Send(plane, net, Rst));
        Assert.Equal([11, 12, 12], SendBatch(plane, net, [Ack, Syn, Ack]));
        plane.Wait(TimeSpan.FromSeconds(1));
        Assert.Equal(2, plane.Engine.ReadFigures().FlowEntries);
    }

    /// <summary>All of it in one batch: a connection begins, ends and begins again before the first packet has left.</summary>
    [Fact]
    public async Task Syn_OnAFlowThatBeganAndEndedInTheSameBatch_BeginsANewOne()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12, 13]);
        Assert.Equal([11, 11, 12, 12, 13], SendBatch(plane, net, [Syn, Rst, Syn, Rst, Syn]));
    }

    [Theory]
    [InlineData("transitory", 240)]
    [InlineData("established", 7440)]
    [InlineData("unanswered", 240)]
    [InlineData("picked up", 240)]
    [InlineData("closing", 240)]
    [InlineData("udp", 300)]
    public async Task Idle_LongerThanTheStateAllows_IsForgotten(string state, int seconds)
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(tcp: state != "udp", hosts: 11);
        PacketBuilder packet = net.FromClient();
        plane.SendForOne("wan", (state == "udp" ? packet.Udp(40000, 80) : packet.Tcp(40000, 80, state == "picked up" ? Ack : Syn)).Build(), "lan");
        if (state == "established")
        {
            plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 40000, Syn | Ack).Build(), "wan");
            Send(plane, net, Ack);
        }
        else if (state is "unanswered" or "picked up")
        {
            // Whoever only says so is no connection of hours.
            Send(plane, net, Ack);
            Send(plane, net, Ack);
        }
        else if (state == "closing")
        {
            plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 40000, Rst).Build(), "wan");
        }

        // The hand of the table goes once around a minute.
        plane.Clock.Advance(TimeSpan.FromSeconds(seconds - 62));
        plane.Wait(TimeSpan.FromSeconds(61));
        Assert.Equal((2, 0L), (plane.Engine.ReadFigures().FlowEntries, plane.Engine.ReadFigures().FlowsExpired));
        plane.Wait(TimeSpan.FromSeconds(63));
        Assert.Equal((0, 1L), (plane.Engine.ReadFigures().FlowEntries, plane.Engine.ReadFigures().FlowsExpired));
    }

    /// <summary>A flood of SYNs and of datagrams from everywhere: connections stay, new ones come about, memory is what it was.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task FullTable_UnderAFlood_KeepsConnectionsAndServesNewOnes(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12, 13);
            net.Add(builder, "dns", 80, tcp: false, BalancePolicy.RoundRobin, 11, 12, 13);
            builder.Workers(workers => workers with { FlowEntries = 1024 });
        });
        int[] hosts = [.. Enumerable.Range(0, 100).Select(i => Connect(plane, net, (ushort)(1000 + i)))];
        int talking = Talk(plane, net, 900);
        for (int round = 0; round < 20; round++)
        {
            for (int burst = 0; burst < 5; burst++)
            {
                for (int i = 0; i < 30; i++)
                {
                    ushort port = (ushort)(10_000 + (round * 150) + (burst * 30) + i);
                    plane["wan"].TrySend((i % 2 == 0 ? net.FromClient().Tcp(port, 80) : net.FromClient().Udp(port, 80)).Build());
                }

                Assert.Equal(30, plane.Run().Count);
            }

            Connect(plane, net, (ushort)(2000 + round));
            plane.Clock.Advance(TimeSpan.FromMilliseconds(50));
        }

        Assert.Equal(hosts, Enumerable.Range(0, 100).Select(i => net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp((ushort)(1000 + i), 80, Ack).Build(), "lan"))));
        Assert.Equal(talking, net.HostOf(plane.SendForOne("wan", net.FromClient().Udp(900, 80).Build(), "lan")));
        Assert.Equal(0, plane.Engine.ReadAccounting().DroppedFor(DropReason.FlowTableFull));
        Assert.Equal(0L, plane.Engine.ReadFigures().FlowsExpired);
        Assert.InRange(plane.Engine.ReadFigures().FlowsEvicted, 2000, 3000);
    }

    /// <summary>A whole handshake through the engine.</summary>
    internal static int Connect(TestPlane plane, ServiceNet net, ushort port)
    {
        int host = net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80).Build(), "lan"));
        ServiceNet.Same(net.AtClient().Tcp(80, port, Syn | Ack).Build(), plane.SendForOne("lan", net.FromBackend(host).Tcp(8080, port, Syn | Ack).Build(), "wan"));
        Assert.Equal(host, net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(port, 80, Ack).Build(), "lan")));
        return host;
    }

    /// <summary>A datagram, an answer and another datagram.</summary>
    internal static int Talk(TestPlane plane, ServiceNet net, ushort port)
    {
        int host = net.HostOf(plane.SendForOne("wan", net.FromClient().Udp(port, 80).Build(), "lan"));
        plane.SendForOne("lan", net.FromBackend(host).Udp(8080, port).Build(), "wan");
        Assert.Equal(host, net.HostOf(plane.SendForOne("wan", net.FromClient().Udp(port, 80).Build(), "lan")));
        return host;
    }

    private static int Send(TestPlane plane, ServiceNet net, TcpFlags flags) =>
        net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(40000, 80, flags).Build(), "lan"));

    private static int[] SendBatch(TestPlane plane, ServiceNet net, TcpFlags[] flags)
    {
        foreach (TcpFlags flag in flags)
        {
            Assert.True(plane["wan"].TrySend(net.FromClient().Tcp(40000, 80, flag).Build()));
        }

        return [.. plane.Run().Select(sent => net.HostOf(sent.Frame))];
    }

    private static DataplaneSpec WithBackends(DataplaneSpec spec, Func<BackendSpec, bool> keep, Func<BackendSpec, BackendSpec> change) =>
        spec with { Services = [.. spec.Services.Select(service => service with { Backends = [.. service.Backends.Where(keep).Select(change)] })] };
}
