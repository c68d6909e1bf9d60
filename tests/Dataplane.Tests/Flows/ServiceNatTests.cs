using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Flows;

/// <summary>What clients and backends see of a service: every byte, both ways.</summary>
public sealed class ServiceNatTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Tcp_WholeConnection_IsTranslatedByteExactBothWays(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: 11);
        (bool FromClient, TcpFlags Flags, int Bytes)[] segments =
        [
            (true, TcpFlags.Syn, 0), (false, TcpFlags.Syn | TcpFlags.Ack, 0), (true, TcpFlags.Ack, 0), (true, TcpFlags.Ack | TcpFlags.Psh, 333),
            (false, TcpFlags.Ack, 1400), (true, TcpFlags.Ack | TcpFlags.Fin, 0), (false, TcpFlags.Ack | TcpFlags.Fin, 1), (true, TcpFlags.Rst, 0),
        ];
        uint sequence = 0xFFFF_FF00;
        foreach ((bool fromClient, TcpFlags flags, int bytes) in segments)
        {
            sequence += 997;
            if (fromClient)
            {
                byte[] sent = plane.SendForOne("wan", net.FromClient().Tcp(40000, 80, flags, sequence, 5).PayloadOf(bytes).Build(), "lan");
                ServiceNet.Same(net.AtBackend(11).Tcp(40000, 8080, flags, sequence, 5).PayloadOf(bytes).Build(), sent);
            }
            else
            {
                byte[] sent = plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 40000, flags, sequence, 5).PayloadOf(bytes).Build(), "wan");
                ServiceNet.Same(net.AtClient().Tcp(80, 40000, flags, sequence, 5).PayloadOf(bytes).Build(), sent);
            }
        }

        BackendCountsAre(plane, flows: 1, packets: segments.Length);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Udp_EveryPayloadSum_IsTranslatedByteExactBothWays(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);

        // Sums around 0 and 0xFFFF are where incremental checksums go wrong: the payload walks through a stretch of them.
        for (int value = 0; value < 3000; value++)
        {
            byte[] payload = [(byte)(value * 22 >> 8), (byte)(value * 22), (byte)value];
            byte[] there = plane.SendForOne("wan", net.FromClient().Udp(5353, 80).Payload(payload).Build(), "lan");
            ServiceNet.Same(net.AtBackend(11).Udp(5353, 8080).Payload(payload).Build(), there);
            byte[] back = plane.SendForOne("lan", net.FromBackend(11).Udp(8080, 5353).Payload(payload).Build(), "wan");
            ServiceNet.Same(net.AtClient().Udp(80, 5353).Payload(payload).Build(), back);
        }
    }

    [Fact]
    public async Task Udp_ZeroChecksumOnIpv4_StaysZero()
    {
        ServiceNet net = ServiceNet.V4;
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        byte[] there = plane.SendForOne("wan", net.FromClient().Udp(5353, 80, checksum: false).Payload("x").Build(), "lan");
        ServiceNet.Same(net.AtBackend(11).Udp(5353, 8080, checksum: false).Payload("x").Build(), there);
        byte[] back = plane.SendForOne("lan", net.FromBackend(11).Udp(8080, 5353, checksum: false).Payload("y").Build(), "wan");
        ServiceNet.Same(net.AtClient().Udp(80, 5353, checksum: false).Payload("y").Build(), back);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Tcp_SameClientPortToTwoServicesOfOneBackend_TranslatesTheSourcePort(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            net.Add(builder, "one", 80, tcp: true, BalancePolicy.Maglev, 11);
            net.Add(builder, "two", 81, tcp: true, BalancePolicy.Maglev, 11);
        });
        byte[] first = plane.SendForOne("wan", net.FromClient().Tcp(40000, 80).Build(), "lan");
        ServiceNet.Same(net.AtBackend(11).Tcp(40000, 8080).Build(), first);
        byte[] second = plane.SendForOne("wan", net.FromClient().Tcp(40000, 81).Build(), "lan");
        ReferencePacket translated = ReferenceDecoder.Decode(second);
        Assert.InRange(translated.SourcePort, 1024, 65535);
        Assert.NotEqual(40000, translated.SourcePort);
        ServiceNet.Same(net.AtBackend(11).Tcp((ushort)translated.SourcePort, 8080).Build(), second);

        byte[] answerOne = plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 40000, TcpFlags.Syn | TcpFlags.Ack).Build(), "wan");
        ServiceNet.Same(net.AtClient().Tcp(80, 40000, TcpFlags.Syn | TcpFlags.Ack).Build(), answerOne);
        byte[] answerTwo = plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, (ushort)translated.SourcePort, TcpFlags.Syn | TcpFlags.Ack).Build(), "wan");
        ServiceNet.Same(net.AtClient().Tcp(81, 40000, TcpFlags.Syn | TcpFlags.Ack).Build(), answerTwo);
        byte[] again = plane.SendForOne("wan", net.FromClient().Tcp(40000, 81, TcpFlags.Ack).Build(), "lan");
        ServiceNet.Same(net.AtBackend(11).Tcp((ushort)translated.SourcePort, 8080, TcpFlags.Ack).Build(), again);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Echo_ToTheServiceAddress_IsAnswered(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: 11);
        byte[] answer = plane.SendForOne("wan", net.FromClient().EchoRequest(7, 9).PayloadOf(56).Build(), "wan");
        ServiceNet.Same(net.AtClient(ttl: 64).EchoReply(7, 9).PayloadOf(56).Build(), answer);
    }

    [Fact]
    public async Task Arp_ForAServiceInTheConnectedPrefix_IsAnswered()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Service("web", "198.51.100.80", 80, service => service.Backend("10.1.0.11", 8080)));
        byte[] answer = plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.80")
            .Build(), "wan");
        ReferencePacket reply = ReferenceDecoder.Decode(answer);
        Assert.Equal((2, TestPlane.WanMac.ToString(), "198.51.100.80", "198.51.100.2"),
            (reply.Arp!.Operation, reply.Arp.SenderMac, reply.Arp.SenderAddress, reply.Arp.TargetAddress));
        plane.SendForDrop("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", "198.51.100.81").Build(),
            DropReason.NeighbourNotForUs);
    }

    [Fact]
    public async Task Discovery_ForAServiceInTheConnectedPrefix_IsAnswered()
    {
        await using TestPlane plane = TestPlane.Create(builder =>
            builder.Service("web", "2001:db8:1::80", 80, service => service.Backend("2001:db8:2::11", 8080)));
        IpAddress target = IpAddress.Parse("2001:db8:1::80");
        byte[] question = PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.ForIpv6Multicast(IpAddress.Parse("ff02::1:ff00:80")))
            .Ipv6("2001:db8:1::2", "ff02::1:ff00:80", 255)
            .NeighbourSolicitation(new NeighbourSolicitationFields { Target = target, SourceLinkLayerAddress = TestPlane.ClientMac }).Build();
        (string port, byte[] answer) = Assert.Single(plane.SendForDrop("wan", question, DropReason.ConsumedNeighbourDiscovery));
        byte[] expected = PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ipv6("2001:db8:1::80", "2001:db8:1::2", 255)
            .NeighbourAdvertisement(new NeighbourAdvertisementFields
            {
                Target = target,
                IsRouter = true,
                IsSolicited = true,
                IsOverride = true,
                TargetLinkLayerAddress = TestPlane.WanMac,
            }).Build();
        Assert.Equal("wan", port);
        ServiceNet.Same(expected, answer);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task OtherPort_OfTheServiceAddress_IsRefused(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(hosts: 11);
        (string port, byte[] error) = Assert.Single(plane.SendForDrop("wan", net.FromClient().Tcp(40000, 443).Build(), DropReason.LocalUnreachable));
        ReferencePacket refusal = ReferenceDecoder.Decode(error);
        Assert.Equal(("wan", family == 4 ? 3 : 1, family == 4 ? 3 : 4, true), (port, refusal.IcmpType, refusal.IcmpCode, refusal.TransportChecksumRight));
    }

    private static void BackendCountsAre(TestPlane plane, long flows, long packets)
    {
        BackendStatus backend = Assert.Single(Assert.Single(plane.Engine.ReadServices()).Backends);
        Assert.Equal((flows, packets), (backend.Flows, backend.Packets));
    }
}
