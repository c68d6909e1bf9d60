using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Balancing.ConnectionIds;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Flows;

/// <summary>QUIC connections keep their backend by their connection IDs: over other addresses and ports, with one worker and several, in both families, and what comes of IDs that lead nowhere.</summary>
[Collection(AllocationCollection.Name)]
public sealed class ConnectionIdTests
{
    private static readonly QuicLbSpec s_config = new() { Id = 2, ServerIdBytes = 1, NonceBytes = 7, Key = "8f95f09245765f80256934e50c66207f" };
    private static readonly byte[] s_initial = ConnectionIdRouterTests.Long(1, 0, Id(12));

    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, 3)]
    [InlineData(6, 1)]
    [InlineData(6, 3)]
    public async Task Connection_FromOtherPorts_KeepsItsBackend(int family, int workers)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, workers);
        for (int host = 11; host <= 13; host++)
        {
            // Each port is another owner's, of several workers; and the second packet of each takes the short way.
            for (ushort port = 2000; port < 2020; port++)
            {
                ushort from = (ushort)(port + (100 * host));
                Assert.Equal(host, Send(plane, net, from, Short(host)));
                Assert.Equal(host, Send(plane, net, from, Short(host, nonce: 5)));
                ServiceNet.Same(net.AtClient().Udp(80, from).Payload("answer").Build(), plane.SendForOne("lan", net.FromBackend(host).Udp(8080, from).Payload("answer").Build(), "wan"));
            }
        }

        ConnectionIdStatus ids = Ids(plane);
        Assert.Equal((120L, 60L, 0L), (ids.Routed, ids.FlowsBegun, ids.FlowsMoved));
        Assert.Equal([20L, 20L, 20L], plane.Engine.ReadServices()[0].Backends.Select(backend => backend.ActiveFlows));
    }

    /// <summary>The client's choice of a connection ID, made up to name a backend, is not asked; nor is what comes of unknown versions.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Initial_WithAnyConnectionId_IsBalancedByThePolicy(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, workers: 1);
        await using TestPlane plain = TestPlane.Create(builder => net.Add(builder, "web", 80, tcp: false, BalancePolicy.Maglev, 11, 12, 13));
        byte[] negotiation = ConnectionIdRouterTests.Long(0, 2, Id(12)), other = ConnectionIdRouterTests.Long(0x1A2A3A4A, 2, Id(12));
        for (ushort port = 2000; port < 2030; port++)
        {
            Assert.Equal(Send(plain, net, port, s_initial), Send(plane, net, port, (port % 3) switch { 0 => s_initial, 1 => negotiation, _ => other }));
        }

        ConnectionIdStatus ids = Ids(plane);
        Assert.Equal((0L, 10L, 20L, 0L), (ids.Routed, ids.ClientChosen, ids.UnknownType, ids.FlowsBegun));
    }

    /// <summary>A connection from its first packet on, through a change of port, and another client at the port it had before.</summary>
    [Theory]
    [InlineData(4, 1)]
    [InlineData(6, 2)]
    public async Task Address_OfAnotherConnection_MovesToItsBackend(int family, int workers)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, workers);
        int first = Send(plane, net, 3000, s_initial);
        Assert.Equal(first, Send(plane, net, 3000, ConnectionIdRouterTests.Long(1, 2, Id(first))));
        Assert.Equal(first, Send(plane, net, 3000, Short(first)));
        Assert.Equal(first, Send(plane, net, 3001, Short(first)));

        int second = first == 13 ? 11 : first + 1;
        Assert.Equal(second, Send(plane, net, 3000, Short(second)));
        Assert.Equal(second, Send(plane, net, 3000, Short(second)));
        ServiceNet.Same(net.AtClient().Udp(80, 3000).Build(), plane.SendForOne("lan", net.FromBackend(second).Udp(8080, 3000).Build(), "wan"));

        // What says nothing of a backend belongs to the flow; the old port's is not the moved connection's.
        Assert.Equal(second, Send(plane, net, 3000, s_initial));
        Assert.Equal(first, Send(plane, net, 3001, [0x40]));
        ConnectionIdStatus ids = Ids(plane);
        Assert.Equal((5L, 2L, 1L, 2L, 1L), (ids.Routed, ids.ClientChosen, ids.WrongLength, ids.FlowsBegun, ids.FlowsMoved));
        Assert.Equal(2, plane.Engine.ReadServices()[0].Backends.Sum(backend => backend.ActiveFlows));
    }

    /// <summary>Drained backends keep the connections that they have, wherever these come from; those that are down or gone do not.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Backend_DrainedDownAndGone_IsAskedForInVainOnlyWhenItKeepsNoConnections(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, workers: 1);
        DataplaneSpec spec = plane.Engine.Spec;
        ServiceSpec service = spec.Services[0];
        BackendSpec[] drained = [.. service.Backends.Select(backend => backend.Address == net.Backend(12) ? backend with { Drain = true, DrainDeadline = TimeSpan.FromSeconds(60) } : backend)];
        await plane.Engine.UpdateAsync(spec with { Services = [service with { Backends = drained }] });
        Assert.Equal(12, Send(plane, net, 2001, Short(12)));
        Assert.All(Enumerable.Range(2100, 20), port => Assert.NotEqual(12, Send(plane, net, (ushort)port, s_initial)));

        plane.Wait(TimeSpan.FromSeconds(61));
        await plane.Engine.UpdateAsync(plane.Engine.Spec);
        Assert.NotEqual(12, Send(plane, net, 2002, Short(12)));
        Assert.NotEqual(12, Send(plane, net, 2001, Short(12)));
        Assert.Equal(2, Ids(plane).Unavailable);

        await plane.Engine.UpdateAsync(spec);
        Assert.Equal(12, Send(plane, net, 2003, Short(12)));
        await plane.Engine.ReportHealthAsync("web", net.Backend(12), 8080, isUp: false, "test");
        Assert.NotEqual(12, Send(plane, net, 2004, Short(12)));
        Assert.Equal(3, Ids(plane).Unavailable);
        await plane.Engine.ReportHealthAsync("web", net.Backend(12), 8080, isUp: true, "test");
        Assert.Equal(12, Send(plane, net, 2005, Short(12)));

        await plane.Engine.UpdateAsync(spec with { Services = [service with { Backends = [.. service.Backends.Where(backend => backend.Address != net.Backend(12))] }] });
        Assert.NotEqual(12, Send(plane, net, 2005, Short(12)));
        Assert.Equal(1, Ids(plane).UnknownServer);
    }

    /// <summary>A service begins to ask, and ends, under flows that are there: they learn it by the reload.</summary>
    [Fact]
    public async Task Reload_ThatAsksForConnectionIds_HoldsForFlowsThatAreThere()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, workers: 1);
        DataplaneSpec asking = plane.Engine.Spec;
        DataplaneSpec plain = asking with { Services = [asking.Services[0] with { Quic = null, Backends = [.. asking.Services[0].Backends.Select(backend => backend with { ServerIds = "" })] }] };
        await plane.Engine.UpdateAsync(plain);
        Assert.Null(plane.Engine.ReadServices()[0].ConnectionIds);
        int first = Send(plane, net, 4000, Short(12)), other = first == 11 ? 12 : 11;
        Assert.Equal(first, Send(plane, net, 4000, Short(other)));
        ChangeReceipt receipt = await plane.Engine.UpdateAsync(asking);
        Assert.Equal(0, receipt.Flows.Moved);
        Assert.Equal(first, Send(plane, net, 4000, Short(first)));
        Assert.Equal(first, Send(plane, net, 4000, Short(first)));
        Assert.Equal(other, Send(plane, net, 4000, Short(other)));
        await plane.Engine.UpdateAsync(plain);
        Assert.Equal(other, Send(plane, net, 4000, Short(first)));
        Assert.Equal(other, Send(plane, net, 4000, Short(first)));
    }

    /// <summary>Without room for flows too: nothing but the packet says where it goes.</summary>
    [Fact]
    public async Task Connection_WithoutRoomForItsFlow_KeepsItsBackend()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, workers: 1, flowEntries: 1024);
        for (ushort port = 5000; port < 5600; port++)
        {
            int host = 11 + (port % 3);
            Assert.Equal(host, Send(plane, net, port, Short(host)));

            // Both sides are heard: the flow is one that is not given up for others.
            plane.SendForOne("lan", net.FromBackend(host).Udp(8080, port).Build(), "wan");
            Assert.Equal(host, Send(plane, net, port, Short(host)));
        }

        Assert.True(plane.Engine.ReadFigures().StatelessPackets > 0);
        Assert.Equal(1200, Ids(plane).Routed);
    }

    [Fact]
    public async Task Explain_SaysServerConfigurationAndChoice()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, workers: 1);
        byte[] packet = net.FromClient().Udp(6000, 80).Payload(Short(12)).Build();
        string before = plane.Engine.Explain(packet, "wan").ToString();
        Assert.Contains("connection ID of configuration 2 names server 0c, backend 10.1.0.12:8080", before, StringComparison.Ordinal);
        Assert.Contains("is not asked, since the connection ID gives 10.1.0.12:8080", before, StringComparison.Ordinal);
        Assert.Equal((0L, 0L), (Ids(plane).Routed, Ids(plane).FlowsBegun));

        // Of an established flow, on either way.
        Send(plane, net, 6000, Short(12));
        Send(plane, net, 6000, Short(12));
        Assert.Contains("configuration 2 names server 0c", plane.Engine.Explain(packet, "wan").ToString(), StringComparison.Ordinal);
        string moved = plane.Engine.Explain(net.FromClient().Udp(6000, 80).Payload(Short(11)).Build(), "wan").ToString();
        Assert.Contains("its connection ID names another backend", moved, StringComparison.Ordinal);
        Assert.Contains("gives 10.1.0.11:8080", moved, StringComparison.Ordinal);
        Assert.Equal(12, Send(plane, net, 6000, [0x40]));
        Assert.Contains("whose connection ID the client has chosen", plane.Engine.Explain(net.FromClient().Udp(6001, 80).Payload(s_initial).Build(), "wan").ToString(), StringComparison.Ordinal);
    }

    /// <summary>Packets that begin flows, follow them and move them: exactly 0 bytes, explained ones apart.</summary>
    [Fact]
    public void Worker_AnyConnectionId_AllocatesNothing()
    {
        ServiceNet net = ServiceNet.V4;
        using var rig = new PipelineRig(builder => Add(net, builder.Workers(workers => workers with { FlowEntries = 1024 })));
        byte[][][] traffic = [.. Enumerable.Range(0, 60).Select(round => new[]
        {
            Packet(net, (ushort)(2000 + round), Short(11 + (round % 3))), Packet(net, 1999, Short(11)), Packet(net, 1999, Short(11)), Packet(net, 1998, Short(11 + (round % 2))),
            Packet(net, 1997, s_initial), Packet(net, 1997, Short(99)), Packet(net, 1996, [0x40]), Packet(net, 1995, [0xFF]),
        })];
        int at = 0;
        Allocations.AssertNone(3000, () =>
        {
            rig.Send("wan", traffic[at++ % traffic.Length]);
            rig.NowNs += 20_000_000;
            rig.Worker.RunOnce(rig.NowNs);
            rig.Drain();
        });
        Assert.True(rig.Context.Counters.Read().IsBalanced);
        ConnectionIdStatus ids = rig.Context.Tables.Services.Services[0].IdCounter!.Read();
        Assert.True(ids is { Routed: > 0, ClientChosen: > 0, WrongLength: > 0, UnknownServer: > 0, FlowsMoved: > 0 }, ids.ToString());
    }

    private static TestPlane Create(ServiceNet net, int workers, int flowEntries = 4096) =>
        TestPlane.Create(builder => Add(net, builder.Workers(spec => spec with { Count = workers, FlowEntries = flowEntries })));

    /// <summary>Backend 11 is server 0b, and so on.</summary>
    private static DataplaneBuilder Add(ServiceNet net, DataplaneBuilder builder) => builder.Service("web", net.Service.ToString(), 80, service =>
    {
        service = service.Udp().Maglev().Quic(new QuicSpec { Configs = [s_config] });
        foreach (int host in Enumerable.Range(11, 3))
        {
            service = service.Backend(net.Backend(host).ToString(), 8080).ServerIds(((byte)host).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
        }
    });

    private static byte[] Id(int host, byte nonce = 0) => QuicLbServer.ConnectionId(s_config, [(byte)host], [1, 2, 3, 4, 5, 6, nonce]);

    private static byte[] Short(int host, byte nonce = 0) => ConnectionIdRouterTests.Short(Id(host, nonce));

    private static byte[] Packet(ServiceNet net, ushort port, byte[] datagram) => net.FromClient().Udp(port, 80).Payload(datagram).Build();

    private static int Send(TestPlane plane, ServiceNet net, ushort port, byte[] datagram) => net.HostOf(plane.SendForOne("wan", Packet(net, port, datagram), "lan"));

    private static ConnectionIdStatus Ids(TestPlane plane) => plane.Engine.ReadServices()[0].ConnectionIds!;
}
