using Dataplane.Balancing;
using Dataplane.Health;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Flows;

/// <summary>What follows from a backend being up or down, told by the user: checks say it in the same way.</summary>
public sealed class BackendHealthTests
{
    private const TcpFlags Ack = TcpFlags.Ack, Rst = TcpFlags.Rst, Syn = TcpFlags.Syn;

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Down_NewFlowsGoElsewhere_TcpStaysUdpMoves(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12);
            net.Add(builder, "dns", 80, tcp: false, BalancePolicy.RoundRobin, 11, 12);
        });
        var told = new List<string>();
        plane.Engine.BackendChanged += (_, happened) => told.Add(happened.ToString());
        Assert.Equal([11, 12], Tcp(plane, net, 1000, 2, Syn));
        Assert.Equal([11, 12], Udp(plane, net, 1000, 2));
        ChangeReceipt? web = await plane.Engine.ReportHealthAsync("web", net.Backend(11), 8080, isUp: false, "disk full");
        ChangeReceipt? dns = await plane.Engine.ReportHealthAsync("dns", net.Backend(11), 8080, isUp: false, "disk full");
        Assert.Equal((new FlowChange(4, 0, 0, 0), new FlowChange(3, 1, 0, 0)), (web!.Flows, dns!.Flows));
        Assert.Equal([11, 12], Tcp(plane, net, 1000, 2, Ack));
        Assert.Equal([12, 12], Udp(plane, net, 1000, 2));
        Assert.Equal([12, 12], Tcp(plane, net, 2000, 2, Syn));
        BackendStatus status = plane.Engine.ReadServices()[0].Backends[0];
        Assert.Equal((BackendState.Down, "disk full", 1L), (status.State, status.Reason, status.ActiveFlows));
        Assert.Null(await plane.Engine.ReportHealthAsync("web", net.Backend(11), 8080, isUp: false, "again"));
        await plane.Engine.ReportHealthAsync("web", net.Backend(11), 8080, isUp: true, "disk emptied");
        Assert.Contains(11, Tcp(plane, net, 3000, 2, Syn));
        string place = family == 4 ? "10.1.0.11:8080" : "[2001:db8:2::11]:8080";
        Assert.Equal($"service web backend {place}: up to down (disk full): 1 flows kept, 0 moved, 0 ended", told[0]);
        Assert.Equal($"service web backend {place}: down to up (disk emptied)", told[2]);
        await Assert.ThrowsAsync<ArgumentException>(() => plane.Engine.ReportHealthAsync("web", net.Backend(13), 8080, true, ""));
        await Assert.ThrowsAsync<ArgumentException>(() => plane.Engine.ReportHealthAsync("wed", net.Backend(11), 8080, true, ""));
    }

    [Fact]
    public async Task Down_TheLastOne_ItsFlowsStayAndNewOnesMeetNoBackend()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(tcp: false, hosts: [11]);
        Udp(plane, net, 1000, 1);
        ChangeReceipt? receipt = await plane.Engine.ReportHealthAsync("web", net.Backend(11), 8080, isUp: false, "");
        Assert.Equal(new FlowChange(1, 0, 0, 0), receipt!.Flows);
        Assert.Equal([11], Udp(plane, net, 1000, 1));
        plane.SendForDrop("wan", net.FromClient().Udp(1001, 80).Build(), DropReason.NoBackend);
    }

    [Fact]
    public async Task Down_SurvivesAReload_AndEndsWithTheBackend()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        await plane.Engine.ReportHealthAsync("web", net.Backend(11), 8080, isUp: false, "");
        DataplaneSpec spec = plane.Engine.Spec;
        await plane.Engine.UpdateAsync(spec with { Services = [spec.Services[0] with { NoBackend = NoBackendPolicy.Reject }] });
        Assert.Equal([12, 12], Tcp(plane, net, 1000, 2, Syn));
        await plane.Engine.UpdateAsync(spec with { Services = [spec.Services[0] with { Backends = [spec.Services[0].Backends[1]] }] });
        await plane.Engine.UpdateAsync(spec);
        Assert.Contains(11, Tcp(plane, net, 2000, 2, Syn));
    }

    [Theory]
    [InlineData(0, 1, false)]
    [InlineData(50, 1, false)]
    [InlineData(50, 2, true)]
    [InlineData(67, 1, true)]
    [InlineData(1, 3, true)]
    public async Task Panic_BelowItsPart_AllGetNewFlows(int percent, int down, bool isPanicking)
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12, 13]);
        await plane.Engine.UpdateAsync(spec => spec with { Services = [spec.Services[0] with { Health = new HealthSpec { PanicPercent = percent } }] });
        for (int host = 11; host < 11 + down; host++)
        {
            await plane.Engine.ReportHealthAsync("web", net.Backend(host), 8080, isUp: false, "gone");
        }

        Assert.Equal(isPanicking, plane.Engine.ReadServices()[0].IsPanicking);
        int[] used = [.. Tcp(plane, net, 1000, 9, Syn).Distinct().Order()];
        Assert.Equal(isPanicking ? [11, 12, 13] : [.. Enumerable.Range(11 + down, 3 - down)], used);
        Assert.All(plane.Engine.ReadServices()[0].Backends.Take(down), backend => Assert.Equal(BackendState.Down, backend.State));
    }

    [Fact]
    public async Task SlowStart_TheShareGrowsInTenths()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(policy: BalancePolicy.Weighted, hosts: [11, 12]);
        await plane.Engine.UpdateAsync(spec => spec with { Services = [spec.Services[0] with { Health = new HealthSpec { SlowStart = TimeSpan.FromSeconds(10) } }] });
        await plane.Engine.ReportHealthAsync("web", net.Backend(11), 8080, isUp: false, "");
        await plane.Engine.ReportHealthAsync("web", net.Backend(11), 8080, isUp: true, "");
        int port = 1000;
        foreach ((int tenths, double wait) in new[] { (1, 1.2), (2, 1.0), (3, 6.0), (9, 1.0), (10, 1.6), (10, 0.0) })
        {
            int count = 10 + tenths;
            Assert.Equal(tenths, Tcp(plane, net, port, count, Syn).Count(host => host == 11));
            port += count;
            plane.Wait(TimeSpan.FromSeconds(wait));
        }
    }

    [Fact]
    public async Task Passive_RefusedRepeatedAndCompletedHandshakes_AreCounted()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11]);
        Tcp(plane, net, 1000, 3, Syn);
        Tcp(plane, net, 1000, 1, Syn);
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 1001, Rst | Ack).Build());
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 1002, Syn | Ack).Build());
        Tcp(plane, net, 1002, 1, Ack);
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 1002, Rst).Build());
        BackendStatus status = plane.Engine.ReadServices()[0].Backends[0];
        Assert.Equal((1L, 1L, 1L, 3L), (status.Established, status.Refused, status.Unanswered, status.ActiveFlows));
    }

    /// <summary>Nobody can have a backend taken down that answers: by repeating SYNs, or by segments it must reset.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Passive_ClientsThatMisbehave_CountAsNothing(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11]);
        Tcp(plane, net, 1000, 1, Syn);
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 1000, Syn | Ack).Build());
        Tcp(plane, net, 1000, 1, Syn);
        Tcp(plane, net, 1000, 1, Syn);
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 1000, Rst).Build());
        Tcp(plane, net, 2000, 1, Ack);
        plane.Send("lan", net.FromBackend(11).Tcp(8080, 2000, Rst).Build());

        // And nobody can make a dead one look well.
        Tcp(plane, net, 3000, 1, Syn);
        Tcp(plane, net, 3000, 1, Ack);
        Tcp(plane, net, 3000, 1, Ack);
        BackendStatus status = plane.Engine.ReadServices()[0].Backends[0];
        Assert.Equal((0L, 0L, 0L, 3L), (status.Established, status.Refused, status.Unanswered, status.ActiveFlows));
    }

    private static int[] Tcp(TestPlane plane, ServiceNet net, int port, int count, TcpFlags flags) => [.. Enumerable.Range(port, count)
        .Select(from => net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp((ushort)from, 80, flags).Build(), "lan")))];

    private static int[] Udp(TestPlane plane, ServiceNet net, int port, int count) => [.. Enumerable.Range(port, count)
        .Select(from => net.HostOf(plane.SendForOne("wan", net.FromClient().Udp((ushort)from, 80).Build(), "lan")))];
}
