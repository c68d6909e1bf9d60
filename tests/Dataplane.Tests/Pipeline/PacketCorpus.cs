using Dataplane.Packets;
using Dataplane.Tests.Flows;

namespace Dataplane.Tests.Pipeline;

/// <summary>The packets that random ones are made from: every kind the engine knows, all sound.</summary>
internal static class PacketCorpus
{
    /// <summary>Frames, and whether addresses and ports may be changed and all checksums computed anew.</summary>
    public static (byte[] Frame, bool CanMend)[] Make()
    {
        var corpus = new List<(byte[], bool)>();
        foreach (ServiceNet net in new[] { ServiceNet.V4, ServiceNet.V6 })
        {
            AddPlain(corpus, net);
            AddErrors(corpus, net);
            AddFragments(corpus, net);
        }

        AddNeighbours(corpus);
        AddExtensions(corpus);
        return [.. corpus];
    }

    /// <summary>Only packets from the client's side, no larger than any MTU, and nothing that makes the engine hold packets back.</summary>
    public static (byte[] Frame, bool CanMend)[] MakeForwardOnly()
    {
        var corpus = new List<(byte[], bool)>();
        foreach (ServiceNet net in new[] { ServiceNet.V4, ServiceNet.V6 })
        {
            for (ushort port = 40000; port < 40032; port++)
            {
                foreach (TcpFlags flags in new[] { TcpFlags.Syn, TcpFlags.Ack, TcpFlags.Fin | TcpFlags.Ack, TcpFlags.Rst, TcpFlags.Syn })
                {
                    corpus.Add((net.FromClient().Tcp(port, 80, flags).PayloadOf(port % 50).Build(), false));
                }

                corpus.Add((net.FromClient().Udp(port, 53).PayloadOf(port % 50).Build(), false));
                corpus.Add((Plain(net.Client, net.Backend(11)).Udp(port, 7).PayloadOf(port % 50).Build(), false));
                corpus.Add((Plain(net.Client, net.Backend(12), ttl: (byte)(port % 3)).Udp(port, 7).Build(), false));
            }

            corpus.Add((net.FromClient().EchoRequest(1, 2).PayloadOf(30).Build(), false));
            corpus.Add((net.FromClient().Tcp(40000, 443).Build(), false));
        }

        return [.. corpus];
    }

    private static PacketBuilder Plain(IpAddress from, IpAddress to, byte ttl = 64) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
        .Ip(from, to, ttl);

    private static void AddPlain(List<(byte[], bool)> corpus, ServiceNet net)
    {
        foreach (int bytes in new[] { 0, 1, 30, 1200, 1400 })
        {
            corpus.Add((net.FromClient().Tcp(40000, 80).PayloadOf(bytes).Build(), true));
            corpus.Add((net.FromClient().Tcp(40001, 80, TcpFlags.Ack).PayloadOf(bytes).Build(), true));
            corpus.Add((net.FromBackend(11).Tcp(8080, 40000, TcpFlags.Ack).PayloadOf(bytes).Build(), true));
            corpus.Add((net.FromClient().Udp(40000, 53).PayloadOf(bytes).Build(), true));
            corpus.Add((net.FromBackend(12).Udp(8080, 40000).PayloadOf(bytes).Build(), true));
            corpus.Add((Plain(net.Client, net.Backend(11)).EchoRequest(7, 1).PayloadOf(bytes).Build(), true));
            corpus.Add((net.FromClient().EchoRequest(7, 1).PayloadOf(bytes).Build(), true));
            corpus.Add((PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Vlan(5).Ip(net.Client, net.Service).Udp(40002, 53).PayloadOf(bytes)
                .Build(), true));
            corpus.Add((PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Vlan(5).Ip(net.Backend(13), net.Client).Tcp(8080, 40003)
                .PayloadOf(bytes).Build(), true));
        }

        if (net == ServiceNet.V4)
        {
            corpus.Add((net.FromClient().Udp(40000, 53, checksum: false).PayloadOf(40).Build(), true));
            corpus.Add((PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
                .Ipv4(new Ipv4Fields { Source = net.Client, Destination = net.Backend(11), Ttl = 64 }, [0x94, 4, 0, 0, 7, 4, 4, 0]).Udp(1, 2).PayloadOf(1300)
                    .Build(), true));
        }
    }

    private static void AddErrors(List<(byte[], bool)> corpus, ServiceNet net)
    {
        byte[] there = net.AtBackend(11).Udp(40000, 8080).PayloadOf(60).Build()[14..];
        byte[] back = net.AtClient().Tcp(80, 40000, TcpFlags.Ack).PayloadOf(60).Build()[14..];
        bool isV4 = net == ServiceNet.V4;
        for (byte code = 0; code < 5; code++)
        {
            PacketBuilder fromBackend = net.FromBackend(11), fromClient = net.FromClient();
            corpus.Add(((isV4 ? fromBackend.Icmpv4(Icmpv4Fields.Unreachable(code)) : fromBackend.Icmpv6(Icmpv6Fields.Unreachable(code))).Payload(there)
                .Build(), true));
            corpus.Add(((isV4 ? fromClient.Icmpv4(Icmpv4Fields.TimeExceeded()) : fromClient.Icmpv6(Icmpv6Fields.PacketTooBig(1280))).Payload(back).Build(),
                true));
        }
    }

    private static void AddFragments(List<(byte[], bool)> corpus, ServiceNet net)
    {
        corpus.AddRange(Plain(net.Client, net.Backend(11)).Udp(40000, 7).PayloadOf(3000).BuildFragments(1400).Select(frame => (frame, false)));
        corpus.AddRange(net.FromClient().Udp(40000, 53).PayloadOf(300).BuildFragments(128).Select(frame => (frame, false)));
    }

    private static void AddNeighbours(List<(byte[], bool)> corpus)
    {
        foreach (int host in new[] { 7, 8, 50 })
        {
            corpus.Add((PacketBuilder.Ethernet(TestPlane.ServerMac, MacAddress.Broadcast).Vlan(5).ArpRequest($"10.5.0.{host}", "10.5.0.1").Build(), false));
            corpus.Add((PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).ArpReply($"10.1.0.{host}", TestPlane.LanMac.ToString(), "10.1.0.1")
                .Build(), false));
            corpus.Add((PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6($"2001:db8:2::{host}", "2001:db8:2::1", 255)
                .NeighbourAdvertisement(new NeighbourAdvertisementFields
                {
                    Target = IpAddress.Parse($"2001:db8:2::{host}"),
                    IsSolicited = true,
                    IsOverride = true,
                    TargetLinkLayerAddress = TestPlane.ServerMac,
                }).Build(), false));
            corpus.Add((PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Vlan(5).Ipv6($"2001:db8:5::{host}", "2001:db8:5::1", 255)
                .NeighbourSolicitation(new NeighbourSolicitationFields
                {
                    Target = IpAddress.Parse("2001:db8:5::1"),
                    SourceLinkLayerAddress = TestPlane.ServerMac,
                }).Build(), false));
        }
    }

    private static void AddExtensions(List<(byte[], bool)> corpus)
    {
        ServiceNet net = ServiceNet.V6;
        corpus.Add((net.FromClient().HopByHop([5, 2, 0, 0]).Udp(40000, 53).PayloadOf(40).Build(), false));
        corpus.Add((net.FromClient().HopByHop().DestinationOptions().Tcp(40000, 80).PayloadOf(40).Build(), false));
        corpus.Add((Plain(net.Client, net.Backend(11)).DestinationOptions().Tcp(40000, 7).PayloadOf(1300).Build(), false));
        corpus.Add((net.FromClient().Fragment(0, moreFragments: false, 9).Udp(40000, 53).PayloadOf(40).Build(), false));
        corpus.Add((Plain(net.Client, net.Backend(11)).Carrying(59).Build(), false));
        corpus.Add((PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Carrying(0x88CC).PayloadOf(50).Build(), false));
    }
}
