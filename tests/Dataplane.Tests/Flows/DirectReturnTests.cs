using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Flows;

/// <summary>Direct server return: the packet that came is the packet that leaves, but for the link header and the TTL.</summary>
public sealed class DirectReturnTests
{
    private const TcpFlags Ack = TcpFlags.Ack, Rst = TcpFlags.Rst;

    [Theory]
    [InlineData(4, true)]
    [InlineData(6, true)]
    [InlineData(4, false)]
    [InlineData(6, false)]
    public async Task Packets_LeaveAsTheyCame_ToTheBackendsHardwareAddress(int family, bool tcp)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp);
        var hosts = new List<int>();
        for (int port = 1000; port < 1006; port++)
        {
            int first = Send(plane, net, tcp, port, TcpFlags.Syn);
            hosts.Add(first);

            // By the stages, and then by what the flow remembers: the same bytes.
            Assert.Equal(first, Send(plane, net, tcp, port, Ack));
            Assert.Equal(first, Send(plane, net, tcp, port, Ack));
        }

        Assert.Equal([11, 12, 13, 11, 12, 13], hosts);
        Assert.Equal(6, plane.Engine.ReadFigures().FlowEntries / 2);
        Assert.Equal([2L, 2L, 2L], plane.Engine.ReadServices()[0].Backends.Select(backend => backend.ActiveFlows));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Answers_ThatComeThroughTheGateway_AreForwardedAsTheyAre(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp: true);
        Send(plane, net, true, 1000, TcpFlags.Syn);
        byte[] answer = PacketBuilder.Ethernet(MacOf(11), TestPlane.LanMac).Ip(net.Service, net.Client).Tcp(80, 1000, TcpFlags.Syn | Ack).Build();
        ServiceNet.Same(net.AtClient().Tcp(80, 1000, TcpFlags.Syn | Ack).Build(), plane.SendForOne("lan", answer, "wan"));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task IcmpError_AboutAnAnswer_ReachesTheBackendThatHasTheFlow(int family)
    {
        var net = ServiceNet.Of(family);
        await using TestPlane plane = Create(net, tcp: true);
        int host = Send(plane, net, true, 1000, TcpFlags.Syn);
        byte[] quoted = PacketBuilder.Ethernet(MacOf(11), TestPlane.LanMac).Ip(net.Service, net.Client).Tcp(80, 1000, Ack).PayloadOf(100).Build()[14..];
        PacketBuilder error = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(IpAddress.Parse(family == 4 ? "192.0.2.1" : "2001:db8:f::1"), net.Service);
        error = family == 4 ? error.Icmpv4(new Icmpv4Fields { Type = 3, Code = 4, RestOfHeader = 1400 }) : error.Icmpv6(new Icmpv6Fields { Type = 2, Code = 0, RestOfHeader = 1400 });
        byte[] sent = error.Payload(quoted).Build();
        Same(sent, plane.SendForOne("wan", sent, "lan"), host);

        // One about nobody's flow is the engine's own.
        byte[] other = PacketBuilder.Ethernet(MacOf(11), TestPlane.LanMac).Ip(net.Service, net.Client).Tcp(80, 1001, Ack).PayloadOf(100).Build()[14..];
        error = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(IpAddress.Parse(family == 4 ? "192.0.2.1" : "2001:db8:f::1"), net.Service);
        error = family == 4 ? error.Icmpv4(new Icmpv4Fields { Type = 3, Code = 4, RestOfHeader = 1400 }) : error.Icmpv6(new Icmpv6Fields { Type = 2, Code = 0, RestOfHeader = 1400 });
        Assert.Empty(plane.Send("wan", error.Payload(other).Build()));
    }

    [Fact]
    public async Task Remove_MovesAndKeepsAndResets_AsWithTranslation()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = Create(net, tcp: true);
        Assert.Equal(11, Send(plane, net, true, 1000, TcpFlags.Syn));
        ChangeReceipt kept = await plane.Engine.UpdateAsync(spec => Without(spec, net.Backend(11), RemovePolicy.Keep));
        Assert.Equal(new FlowChange(1, 0, 0, 0), kept.Flows);
        Assert.Equal(11, Send(plane, net, true, 1000, Ack));
        int second = Send(plane, net, true, 1001, TcpFlags.Syn), last = second == 12 ? 13 : 12;
        ChangeReceipt moved = await plane.Engine.UpdateAsync(spec => Without(spec, net.Backend(second), RemovePolicy.Move));
        Assert.Equal(new FlowChange(1, 1, 0, 0), moved.Flows);
        Assert.Equal(last, Send(plane, net, true, 1001, Ack));
        await plane.Engine.UpdateAsync(spec => Without(spec, net.Backend(last), RemovePolicy.Reset));
        byte[] answer = Assert.Single(plane.SendForDrop("wan", net.FromClient().Tcp(1001, 80, Ack).Build(), DropReason.FlowReset)).Frame;
        Assert.Equal(net.Service.ToString(), ReferenceDecoder.Decode(answer).Source);
    }

    private static DataplaneSpec Without(DataplaneSpec spec, IpAddress backend, RemovePolicy policy) => spec with
    {
        Services = [spec.Services[0] with { OnRemove = policy, Backends = [.. spec.Services[0].Backends.Where(entry => entry.Address != backend)] }],
    };

    private static MacAddress MacOf(int host) => MacAddress.Parse($"02:00:00:00:03:{host}");

    private static TestPlane Create(ServiceNet net, bool tcp) => TestPlane.Create(builder =>
    {
        builder.Neighbour("wan", net.Client.ToString(), TestPlane.ClientMac.ToString());
        builder.Route(net.Client.IsIpv4 ? "192.0.2.0/24" : "2001:db8:f::/48", net.Client.ToString());
        builder.Service("web", net.Service.ToString(), 80, service =>
        {
            service = (tcp ? service.Tcp() : service.Udp()).RoundRobin().Dsr();
            for (int host = 11; host < 14; host++)
            {
                service = service.Backend(net.Backend(host).ToString(), 80);
                builder.Neighbour("lan", net.Backend(host).ToString(), MacOf(host).ToString());
            }
        });
    }, withNeighbours: false);

    /// <summary>Sends a packet and checks every byte of what leaves; returns the backend it went to.</summary>
    private static int Send(TestPlane plane, ServiceNet net, bool tcp, int port, TcpFlags flags)
    {
        PacketBuilder packet = net.FromClient();
        byte[] frame = (tcp ? packet.Tcp((ushort)port, 80, flags, 7, 9) : packet.Udp((ushort)port, 80)).PayloadOf(33).Build();
        byte[] sent = plane.SendForOne("wan", frame, "lan");
        int host = Enumerable.Range(11, 3).Single(candidate => MacOf(candidate).ToString() == ReferenceDecoder.Decode(sent).DestinationMac);
        Same(frame, sent, host);
        return host;
    }

    private static void Same(byte[] came, byte[] left, int host)
    {
        ReferencePacket packet = ReferenceDecoder.Decode(left);
        Assert.True(packet.HeaderChecksumRight != false && packet.TransportChecksumRight != false, Convert.ToHexString(left));
        Assert.Equal((MacOf(host).ToString(), TestPlane.LanMac.ToString()), (packet.DestinationMac, packet.SourceMac));
        byte[] expected = (byte[])came.Clone();
        left.AsSpan(0, 12).CopyTo(expected);

        // One less TTL, and over IPv4 its header checksum, which the decoder has found right.
        int ttl = packet.IpVersion == 4 ? 22 : 21;
        expected[ttl]--;
        if (packet.IpVersion == 4)
        {
            left.AsSpan(24, 2).CopyTo(expected.AsSpan(24));
        }

        ServiceNet.Same(expected, left);
    }
}
