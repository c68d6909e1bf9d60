using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Routing;

namespace Dataplane.Tests.Flows;

/// <summary>Backends come and go: what becomes of their flows, what the receipt says of it, and what senders hear.</summary>
public sealed class BackendLifeTests
{
    private const TcpFlags Ack = TcpFlags.Ack, Rst = TcpFlags.Rst, Syn = TcpFlags.Syn;

    [Theory]
    [InlineData(4, true)]
    [InlineData(6, true)]
    [InlineData(4, false)]
    [InlineData(6, false)]
    public async Task Drain_KeepsFlowsAndTakesNoNewOnes_UntilItsDeadline(int family, bool tcp)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp, hosts: [11, 12]);
        Assert.Equal([11, 12, 11, 12], Open(plane, net, tcp, 1000, 4));
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(spec => Change(spec, net, 11, backend => backend with { Drain = true, DrainDeadline = TimeSpan.FromSeconds(30) }));
        Assert.Equal(new FlowChange(4, 0, 0, 0), receipt.Flows);
        BackendChange change = Assert.Single(receipt.Backends);
        Assert.Equal((BackendState.Up, BackendState.Draining, 2L), (change.Before, change.After, change.FlowsKept));
        Assert.Equal([11, 12, 11, 12], Go(plane, net, tcp, 1000, 4));
        Assert.Equal([12, 12], Open(plane, net, tcp, 2000, 2));

        plane.Wait(TimeSpan.FromSeconds(29.8));
        Assert.Equal(11, Go(plane, net, tcp, 1000, 1)[0]);
        plane.Wait(TimeSpan.FromSeconds(0.4));
        BackendEvent ended = plane.Engine.ReadBackendEvents()[^1];
        Assert.Equal((BackendState.Drained, "drain deadline", 2L, 0L), (ended.Change.After, ended.Change.Reason, ended.Change.FlowsMoved, ended.Change.FlowsKept));
        Assert.Equal([12, 12, 12, 12], Go(plane, net, tcp, 1000, 4));
        Assert.Equal(BackendState.Drained, plane.Engine.ReadServices()[0].Backends[0].State);
    }

    [Fact]
    public async Task Drain_TakenBack_TheBackendIsAsBefore()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        Assert.Equal([11, 12], Open(plane, net, true, 1000, 2));
        await plane.Engine.UpdateAsync(spec => Change(spec, net, 11, backend => backend with { Drain = true, DrainDeadline = TimeSpan.FromSeconds(3) }));
        await plane.Engine.UpdateAsync(spec => Change(spec, net, 11, backend => backend with { Drain = false }));
        plane.Wait(TimeSpan.FromSeconds(5));
        Assert.Equal([11, 12], Go(plane, net, true, 1000, 2));
        Assert.Contains(11, Open(plane, net, true, 2000, 2));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Remove_WithReset_TheSenderGetsOneOfTheConnectionsNumbers(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        Open(plane, net, true, 1000, 4);
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(spec => Remove(spec, net, RemovePolicy.Reset, 11));
        Assert.Equal(new FlowChange(2, 0, 2, 0), receipt.Flows);

        byte[] data = net.FromClient().Tcp(1000, 80, Ack, 5000, 77).PayloadOf(10).Build();
        ServiceNet.Same(Made(TestPlane.WanMac, TestPlane.ClientMac, net.Service, net.Client).Tcp(80, 1000, Rst, 77, 0, window: 0).Build(), Single(plane.SendForDrop("wan", data, DropReason.FlowReset), "wan"));

        // The other end may be the first to speak; without an acknowledgement the answer says what it is about (RFC 9293 3.5.2).
        byte[] fromBackend = net.FromBackend(11).Tcp(8080, 1002, TcpFlags.Psh | TcpFlags.Fin, 0xFFFF_FFFE, 0).PayloadOf(10).Build();
        byte[] answer = Single(plane.SendForDrop("lan", fromBackend, DropReason.FlowReset), "lan");
        byte[] expected = Made(TestPlane.LanMac, TestPlane.ServerMac, net.Client, net.Backend(11)).Tcp(1002, 8080, Rst | Ack, 0, 9, window: 0).Build();
        ServiceNet.Same(expected, answer);
        Assert.Equal(12, Go(plane, net, true, 1001, 1)[0]);
        Assert.Equal(12, Open(plane, net, true, 1000, 1)[0]);
        Assert.Equal(3, plane.Engine.ReadFigures().FlowEntries / 2);
    }

    [Fact]
    public async Task Remove_WithReset_AResetIsNotAnswered()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11]);
        Open(plane, net, true, 1000, 1);
        await plane.Engine.UpdateAsync(spec => Remove(spec, net, RemovePolicy.Reset, 11));
        Assert.Empty(plane.SendForDrop("wan", net.FromClient().Tcp(1000, 80, Rst).Build(), DropReason.FlowReset));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Remove_WithKeep_TcpGoesOnUdpDoesNot(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11, 12);
            net.Add(builder, "dns", 81, tcp: false, BalancePolicy.RoundRobin, 11, 12);
        });
        Open(plane, net, true, 1000, 4);
        plane.Send("wan", net.FromClient().Udp(1000, 81).Build());
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(spec => Remove(spec, net, RemovePolicy.Keep, 11));
        Assert.Equal(new FlowChange(4, 1, 0, 0), receipt.Flows);
        Assert.Equal([11, 12, 11, 12], Go(plane, net, true, 1000, 4));
        plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 1000, Ack).Build(), "wan");
        Assert.Equal(12, net.HostOf(plane.SendForOne("wan", net.FromClient().Udp(1000, 81).Build(), "lan")));
        Assert.Equal([12, 12], Open(plane, net, true, 2000, 2));

        // Taken in again, it has its flows still; and a flow that ends is not there any more.
        receipt = await plane.Engine.UpdateAsync(spec => Add(spec, net, 11));
        Assert.Equal(2, receipt.Backends.Single(change => change.Service == "web").FlowsKept);
        Assert.Equal([11, 12, 11, 12], Go(plane, net, true, 1000, 4));
    }

    [Fact]
    public async Task Update_FlowsThatHaveNotSpokenSince_AreCountedOnce()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12, 13]);
        Open(plane, net, true, 1000, 9);
        ChangeReceipt first = await plane.Engine.UpdateAsync(spec => Remove(spec, net, RemovePolicy.Move, 11));
        Assert.Equal(new FlowChange(6, 3, 0, 0), first.Flows);
        Go(plane, net, true, 1000, 1);
        ChangeReceipt second = await plane.Engine.UpdateAsync(spec => Remove(spec, net, RemovePolicy.Move, 12));
        Assert.Equal(9, second.Flows.Total);
        Assert.Equal(2, second.Flows.Leaving);
        Assert.InRange(second.Flows.Moved, 3, 4);

        // What is left has nowhere to go.
        ChangeReceipt third = await plane.Engine.UpdateAsync(spec => Remove(spec, net, RemovePolicy.Move, 13));
        Assert.Equal((9L, 0L), (third.Flows.Total, third.Flows.Kept));
        Assert.Equal(9, third.Flows.Ended + third.Flows.Leaving);
    }

    [Fact]
    public async Task Slot_OfABackendThatHasGone_IsAnothersOnlyWhenNoFlowRemembersIt()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11]);
        Open(plane, net, true, 1000, 1);
        await plane.Engine.UpdateAsync(spec => Add(Remove(spec, net, RemovePolicy.Move, 11), net, 12));
        await plane.Engine.UpdateAsync(spec => Add(spec, net, 13));
        Assert.Equal(3, plane.Engine.Workers.Tables!.BackendGenerations.Length);
        int now = Go(plane, net, true, 1000, 1)[0], other = now == 12 ? 13 : 12;
        Assert.NotEqual(11, now);
        await plane.Engine.UpdateAsync(spec => Add(spec, net, 11));
        Assert.Equal(3, plane.Engine.Workers.Tables!.BackendGenerations.Length);
        await plane.Engine.UpdateAsync(spec => Remove(spec, net, RemovePolicy.Move, other));
        await plane.Engine.UpdateAsync(spec => Add(spec, net, other));
        Assert.Equal(3, plane.Engine.Workers.Tables!.BackendGenerations.Length);
    }

    [Fact]
    public async Task Preview_OfAnyChange_IsTheReceiptAndChangesNothing()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(policy: BalancePolicy.Maglev, hosts: [11, 12, 13]);
        int[] before = Open(plane, net, true, 1000, 60);
        int version = plane.Engine.Version;
        DataplaneSpec next = Remove(Change(plane.Engine.Spec, net, 13, backend => backend with { Drain = true }), net, RemovePolicy.Move, 11);
        ChangeReceipt preview = await plane.Engine.PreviewAsync(next);
        Assert.Equal((true, version), (preview.IsPreview, plane.Engine.Version));
        Assert.Equal(before, Go(plane, net, true, 1000, 60));
        Assert.Equal(before.Count(host => host == 11), preview.Flows.Moved);
        Assert.Equal(60, preview.Flows.Total);
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(next);
        Assert.Equal((preview.Flows, preview.Version), (receipt.Flows, receipt.Version));
        Assert.Equal(preview.Backends, receipt.Backends);
        Assert.Equal(preview.Services, receipt.Services);
        Assert.Equal(receipt.Services[0].MinimumSlotsMoved, receipt.Services[0].SlotsMoved);
        await Assert.ThrowsAsync<Dataplane.Configuration.ConfigurationException>(() =>
            plane.Engine.PreviewAsync(next with { Services = [next.Services[0] with { Port = 0 }] }));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task NoBackend_WithReject_TcpIsResetAndUdpUnreachable(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin);
            net.Add(builder, "dns", 80, tcp: false, BalancePolicy.RoundRobin);
        });
        await plane.Engine.UpdateAsync(spec => spec with { Services = [.. spec.Services.Select(service => service with { NoBackend = NoBackendPolicy.Reject })] });
        byte[] refusal = Single(plane.SendForDrop("wan", net.FromClient().Tcp(1000, 80, Syn, 0xFFFF_FFFF, 0).Build(), DropReason.NoBackend), "wan");
        ServiceNet.Same(Made(TestPlane.WanMac, TestPlane.ClientMac, net.Service, net.Client).Tcp(80, 1000, Rst | Ack, 0, 0, window: 0).Build(), refusal);
        byte[] datagram = net.FromClient().Udp(1000, 80).PayloadOf(20).Build();
        var error = ParsedIcmp.Read(Single(plane.SendForDrop("wan", datagram, DropReason.NoBackend), "wan"));
        Assert.Equal((net.Client.ToString(), family == 4 ? 3 : 1, family == 4 ? 3 : 4, true), (error.Destination, error.Type, error.Code, error.ChecksumHolds));
        Assert.Equal(Convert.ToHexString(datagram[14..]), Convert.ToHexString(error.Quoted));
    }

    /// <summary>What the engine makes itself: its own TTL, and over IPv4 "do not fragment".</summary>
    private static PacketBuilder Made(MacAddress from, MacAddress to, IpAddress source, IpAddress destination) => source.IsIpv6
        ? PacketBuilder.Ethernet(from, to).Ip(source, destination)
        : PacketBuilder.Ethernet(from, to).Ipv4(source.ToString(), destination.ToString(), dontFragment: true);

    private static byte[] Single(IReadOnlyList<(string Port, byte[] Frame)> sent, string port)
    {
        (string by, byte[] frame) = Assert.Single(sent);
        Assert.Equal(port, by);
        return frame;
    }

    /// <summary>Begins flows from ports one after the other; returns their backends.</summary>
    private static int[] Open(TestPlane plane, ServiceNet net, bool tcp, int port, int count) => Send(plane, net, tcp, port, count, Syn);

    /// <summary>Goes on with them.</summary>
    private static int[] Go(TestPlane plane, ServiceNet net, bool tcp, int port, int count) => Send(plane, net, tcp, port, count, Ack);

    private static int[] Send(TestPlane plane, ServiceNet net, bool tcp, int port, int count, TcpFlags flags) => [.. Enumerable.Range(port, count)
        .Select(from => net.HostOf(plane.SendForOne("wan", (tcp ? net.FromClient().Tcp((ushort)from, 80, flags) : net.FromClient().Udp((ushort)from, 80)).Build(), "lan")))];

    private static DataplaneSpec Change(DataplaneSpec spec, ServiceNet net, int host, Func<BackendSpec, BackendSpec> change) => spec with
    {
        Services = [.. spec.Services.Select(service =>
            service with { Backends = [.. service.Backends.Select(backend => backend.Address == net.Backend(host) ? change(backend) : backend)] })],
    };

    private static DataplaneSpec Remove(DataplaneSpec spec, ServiceNet net, RemovePolicy policy, int host) => spec with
    {
        Services = [.. spec.Services.Select(service =>
            service with { OnRemove = policy, Backends = [.. service.Backends.Where(backend => backend.Address != net.Backend(host))] })],
    };

    private static DataplaneSpec Add(DataplaneSpec spec, ServiceNet net, int host) => spec with
    {
        Services = [.. spec.Services.Select(service => service with { Backends = [.. service.Backends, new BackendSpec { Address = net.Backend(host), Port = 8080 }] })],
    };
}
