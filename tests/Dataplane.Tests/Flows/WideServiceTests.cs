using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tracking;

namespace Dataplane.Tests.Flows;

/// <summary>Services of several ports, or of all addresses of a prefix: packets in and packets out.</summary>
public sealed class WideServiceTests
{
    private const TcpFlags Syn = TcpFlags.Syn, Ack = TcpFlags.Ack;

    public static TheoryData<int, bool, int> FamiliesProtocolsAndWorkers => new() { { 4, true, 1 }, { 6, true, 1 }, { 4, false, 3 }, { 6, false, 3 }, { 4, true, 3 }, { 6, true, 3 } };

    /// <summary>The port stays what it was, both ways, at each of the service's addresses; what comes back comes from the address that was asked.</summary>
    [Theory]
    [MemberData(nameof(FamiliesProtocolsAndWorkers))]
    public async Task AnyPortOfAPrefix_IsTranslatedThereAndBack_PortKept(int family, bool tcp, int workers)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp, PrefixOf(family), workers, service => service.RoundRobin());
        for (int i = 0; i < 24; i++)
        {
            (IpAddress asked, ushort port, ushort from) = (AddressOf(family, i), (ushort)(1 + (i * 2731)), (ushort)(2000 + i));
            byte[] sent = plane.SendForOne("wan", Packet(net, tcp, asked, from, port, Syn), "lan");
            int host = net.HostOf(sent);
            ServiceNet.Same(Transport(net.AtBackend(host), tcp, from, port, Syn), sent);
            byte[] answer = plane.SendForOne("lan", Transport(net.FromBackend(host), tcp, port, from, Syn | Ack), "wan");
            ServiceNet.Same(Transport(PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(asked, net.Client, 63), tcp, port, from, Syn | Ack), answer);
            Assert.Equal(host, net.HostOf(plane.SendForOne("wan", Packet(net, tcp, asked, from, port, Ack), "lan")));
        }

        Assert.Equal(24, plane.Engine.ReadFigures().FlowEntries / 2);
        ServiceStatus status = plane.Engine.ReadServices()[0];
        Assert.Equal((PrefixOf(family), (ushort)0, ushort.MaxValue, 24L),
            ($"{status.Address}/{status.PrefixLength}", status.Port, status.LastPort, status.Backends.Sum(backend => backend.Flows)));
    }

    /// <summary>A range to one port, beside the service of a port in it, and one of all others.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task ExactPort_ThenRange_ThenAny(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder
            .Service("any", net.Service.ToString(), service => service.BackendAtSamePort(net.Backend(11).ToString()))
            .Service("range", net.Service.ToString(), 8000, service => service.Ports(8000, 8100).Backend(net.Backend(12).ToString(), 9000))
            .Service("one", net.Service.ToString(), 8080, service => service.Backend(net.Backend(13).ToString(), 80)));
        foreach ((ushort port, int host, ushort target) in new (ushort, int, ushort)[]
            { (1, 11, 1), (7999, 11, 7999), (8000, 12, 9000), (8079, 12, 9000), (8080, 13, 80), (8081, 12, 9000), (8100, 12, 9000), (8101, 11, 8101), (65535, 11, 65535) })
        {
            ushort from = (ushort)(20_000 + (port / 2));
            ServiceNet.Same(net.AtBackend(host).Tcp(from, target, Syn).Build(), plane.SendForOne("wan", net.FromClient().Tcp(from, port, Syn).Build(), "lan"));
            ServiceNet.Same(net.AtClient().Tcp(port, from, Syn | Ack).Build(),
                plane.SendForOne("lan", net.FromBackend(host).Tcp(target, from, Syn | Ack).Build(), "wan"));
        }

        string why = plane.Engine.Explain(net.FromClient().Tcp(1, 8050, Syn).Build(), "wan").ToString();
        Assert.Contains("service range", why, StringComparison.Ordinal);
    }

    /// <summary>Direct return: nothing but the link header is new, whatever the port and the address.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task DirectReturn_OfAPrefix_LeavesPacketsAsTheyAre(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp: true, PrefixOf(family), workers: 1, service => service.Dsr());
        for (int i = 0; i < 8; i++)
        {
            byte[] sent = plane.SendForOne("wan", Packet(net, true, AddressOf(family, i), 1000, (ushort)(100 + i), Syn), "lan");
            ServiceNet.Same(PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(net.Client, AddressOf(family, i), 63).Tcp(1000, (ushort)(100 + i), Syn).Build(), sent);
        }
    }

    /// <summary>Without room for flows the hash alone serves a service of one address, the port told by the packet; of a prefix, nobody could say which address was asked.</summary>
    [Theory]
    [InlineData(4, false)]
    [InlineData(6, false)]
    [InlineData(4, true)]
    [InlineData(6, true)]
    public async Task FullTable_ServesSingleAddressesByHash_AndRefusesPrefixes(int family, bool prefix)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp: true, prefix ? PrefixOf(family) : net.Service.ToString(), workers: 1, service => service.Maglev());
        for (ushort from = 1000; plane.Engine.ReadFigures().FlowEntries + 2 <= plane.Engine.ReadFigures().FlowCapacity; from++)
        {
            int host = net.HostOf(plane.SendForOne("wan", net.FromClient().Tcp(from, 80).Build(), "lan"));
            plane.SendForOne("lan", net.FromBackend(host).Tcp(80, from, Syn | Ack).Build(), "wan");
            plane.SendForOne("wan", net.FromClient().Tcp(from, 80, Ack).Build(), "lan");
        }

        for (ushort port = 5000; port < 5010; port++)
        {
            byte[] syn = net.FromClient().Tcp(30_000, port, Syn).Build();
            if (prefix)
            {
                plane.SendForDrop("wan", syn, DropReason.FlowTableFull);
                continue;
            }

            byte[] sent = plane.SendForOne("wan", syn, "lan");
            int host = net.HostOf(sent);
            ServiceNet.Same(net.AtBackend(host).Tcp(30_000, port, Syn).Build(), sent);
            ServiceNet.Same(net.AtClient().Tcp(port, 30_000, Syn | Ack).Build(), plane.SendForOne("lan", net.FromBackend(host).Tcp(port, 30_000, Syn | Ack).Build(), "wan"));
        }

        Assert.Equal(prefix ? 0 : 20, plane.Engine.ReadFigures().StatelessPackets);
    }

    /// <summary>A backend that is asked past its service answers in its own name, and both directions meet one worker, which follows the connection.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task BackendsOwnConnections_WithRulesOfStatesAndSeveralWorkers_AreFollowed(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp: true, PrefixOf(family), workers: 3, service => service.RoundRobin(),
            builder => builder.Filter(filter => filter.Allow(state: ConnectionStates.Established).Allow(state: ConnectionStates.New).DefaultDeny()));
        for (ushort port = 3000; port < 3040; port++)
        {
            plane.SendForOne("lan", net.FromBackend(11).Tcp(port, 443, Syn).Build(), "wan");
            plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(net.Client, net.Backend(11)).Tcp(443, port, Syn | Ack, 0, 1).Build(), "lan");
            plane.SendForOne("lan", net.FromBackend(11).Tcp(port, 443, Ack, 1, 1).Build(), "wan");
        }
    }

    /// <summary>Flows stay with their backends over a change that touches others; the receipt says so, and so it does beforehand.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Update_ABackendRemoved_MovesItsFlowsAlone_AsForetold(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp: false, PrefixOf(family), workers: 1, service => service.RoundRobin());
        int Send(int i) => net.HostOf(plane.SendForOne("wan", Packet(net, false, AddressOf(family, i), (ushort)(1000 + i), (ushort)(100 + i), Syn), "lan"));
        int[] before = [.. Enumerable.Range(0, 60).Select(Send)];
        DataplaneSpec next = plane.Engine.Spec with { Services = [plane.Engine.Spec.Services[0] with { Backends = [.. plane.Engine.Spec.Services[0].Backends.Skip(1)] }] };
        ChangeReceipt foretold = await plane.Engine.PreviewAsync(next), receipt = await plane.Engine.UpdateAsync(next);
        Assert.Equal((40L, 20L, 0L), (receipt.Flows.Kept, receipt.Flows.Moved, receipt.Flows.Ended));
        Assert.Equal(receipt.Flows, foretold.Flows);
        int[] after = [.. Enumerable.Range(0, 60).Select(Send)];
        Assert.All(Enumerable.Range(0, 60), i => Assert.True(before[i] == 11 ? after[i] != 11 : after[i] == before[i]));
    }

    /// <summary>One service becomes a wider one: it is another service, and the flows of the one before end or move as with any that goes.</summary>
    [Fact]
    public async Task Update_ToMorePorts_IsAnotherService()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(hosts: [11, 12]);
        ServiceFlowLifeTests.Connect(plane, net, 1000);
        await plane.Engine.UpdateAsync(spec => spec with { Services = [spec.Services[0] with { Port = 80, LastPort = 90 }] });
        byte[] sent = plane.SendForOne("wan", net.FromClient().Tcp(1001, 85, Syn).Build(), "lan");
        ServiceNet.Same(net.AtBackend(net.HostOf(sent)).Tcp(1001, 8080, Syn).Build(), sent);
        ReferencePacket packet = ReferenceDecoder.Decode(plane.SendForOne("wan", net.FromClient().Tcp(1000, 80, Ack).Build(), "lan"));
        Assert.Equal(8080, packet.DestinationPort);
    }

    private static string PrefixOf(int family) => family == 4 ? "203.0.113.0/24" : "2001:db8:80::/64";

    private static IpAddress AddressOf(int family, int i) => IpAddress.Parse(family == 4 ? $"203.0.113.{i * 11 % 256}" : $"2001:db8:80::{i:x}");

    private static byte[] Packet(ServiceNet net, bool tcp, IpAddress asked, ushort from, ushort port, TcpFlags flags) =>
        Transport(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(net.Client, asked, 64), tcp, from, port, flags);

    private static byte[] Transport(PacketBuilder packet, bool tcp, ushort from, ushort to, TcpFlags flags) =>
        (tcp ? packet.Tcp(from, to, flags) : packet.Udp(from, to)).Build();

    private static TestPlane Create(ServiceNet net, bool tcp, string address, int workers, Func<ServiceBuilder, ServiceBuilder> with, Action<DataplaneBuilder>? more = null) =>
        TestPlane.Create(builder =>
        {
            builder.Workers(spec => spec with { FlowEntries = 1024, Count = workers });
            builder.Service("wide", address, service =>
            {
                service = with(tcp ? service.Tcp() : service.Udp());
                foreach (int host in Enumerable.Range(11, 3))
                {
                    service = service.BackendAtSamePort(net.Backend(host).ToString());
                }
            });
            more?.Invoke(builder);
        });
}
