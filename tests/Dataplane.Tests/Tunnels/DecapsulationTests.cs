using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tunnels;

namespace Dataplane.Tests.Tunnels;

/// <summary>Packets taken out of others at addresses of the engine: what goes on, and what is dropped why.</summary>
public sealed class DecapsulationTests
{
    private const string Far4 = "198.51.100.77", Far6 = "2001:db8:1::77", Own4 = "203.0.113.5", Own6 = "2001:db8:5::5";

    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task Packet_Inside_IsForwardedAsIfItHadComeAlone(int inner, int outer, ForwardMode mode)
    {
        await using TestPlane plane = Create();
        foreach (byte[] packet in new[]
        {
            Direct(inner).Tcp(1000, 80, TcpFlags.Syn).Build(), Direct(inner).Udp(1000, 53).PayloadOf(51).Build(), Direct(inner).EchoRequest(1, 2).PayloadOf(7).Build(),
            Direct(inner).Udp(1000, 53).PayloadOf(800).BuildFragments(512)[1],
        })
        {
            byte[] left = plane.SendForOne("wan", Enclosed(outer, mode, packet[14..]), "lan");
            Assert.Equal((TestPlane.LanMac.ToString(), TestPlane.ServerMac.ToString()), (ReferenceDecoder.Decode(left).SourceMac, ReferenceDecoder.Decode(left).DestinationMac));
            ServiceNet.Same(TunnelNet.TakenDown(packet[14..]), left[14..]);
        }

        DecapsulationStatus[] statuses = [.. plane.Engine.ReadDecapsulations()];
        Assert.Equal([(Own4, outer == 4 ? 4L : 0), (Own6, outer == 6 ? 4L : 0)], statuses.Select(status => (status.Address.ToString(), status.Packets)));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Packet_InsideATaggedFrameWithPadding_IsForwarded(int outer)
    {
        await using TestPlane plane = Create(configure: builder => builder.Interface("wan", "192.0.2.1/24", vlan: 7));
        byte[] packet = Direct(4).Udp(1000, 53).PayloadOf(5).Build();
        PacketBuilder frame = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Vlan(7).Ip(IpAddress.Parse(outer == 4 ? Far4 : Far6), IpAddress.Parse(outer == 4 ? Own4 : Own6));
        byte[] left = plane.SendForOne("wan", frame.Udp(9, 6080).Payload(packet.AsSpan(14)).PadTo(200).Build(), "lan");
        ServiceNet.Same(TunnelNet.TakenDown(packet[14..]), left[14..]);
    }

    // What comes out may be for a service of this engine: then it is translated, and the answer goes the plain way back.
    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task Packet_InsideForAService_BeginsAFlowThatIsRemembered(int inner, int outer, ForwardMode mode)
    {
        ServiceNet net = ServiceNet.Of(inner);
        await using TestPlane plane = Create(configure: builder => net.Add(builder, "web", 80, tcp: true, BalancePolicy.RoundRobin, 11));
        foreach (TcpFlags flags in new[] { TcpFlags.Syn, TcpFlags.Ack, TcpFlags.Ack })
        {
            byte[] packet = net.FromClient().Tcp(1000, 80, flags, 5, 6).PayloadOf(9).Build();
            byte[] left = plane.SendForOne("wan", Enclosed(outer, mode, packet[14..]), "lan");
            ServiceNet.Same(net.AtBackend(11).Tcp(1000, 8080, flags, 5, 6).PayloadOf(9).Build(), left);
        }

        Assert.Equal(3, plane.Engine.ReadServices()[0].Backends[0].Packets);
        ServiceNet.Same(net.AtClient().Tcp(80, 1000, TcpFlags.Ack).Build(), plane.SendForOne("lan", net.FromBackend(11).Tcp(8080, 1000, TcpFlags.Ack).Build(), "wan"));
    }

    // RFC 6040, 4.2.
    [Theory]
    [InlineData(4, 0, 3, -1)]
    [InlineData(6, 0, 3, -1)]
    [InlineData(4, 2, 3, 3)]
    [InlineData(6, 2, 3, 3)]
    [InlineData(4, 1, 3, 3)]
    [InlineData(6, 3, 3, 3)]
    [InlineData(4, 1, 2, 1)]
    [InlineData(6, 0, 1, 0)]
    [InlineData(4, 3, 0, 3)]
    public async Task Congestion_MarkedOutside_IsMarkedInsideOrThePacketIsDropped(int inner, byte inside, byte outside, int expected)
    {
        await using TestPlane plane = Create();
        PacketBuilder packet = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac);
        packet = inner == 4 ? packet.Ipv4("198.51.100.2", "10.1.0.11", tos: (byte)(0xB8 | inside)) : packet.Ipv6("2001:db8:1::2", "2001:db8:2::11", trafficClass: (byte)(0xB8 | inside));
        byte[] frame = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(Far4, Own4, tos: outside).Carrying(inner == 4 ? (ushort)4 : (ushort)41)
            .Payload(packet.Udp(1, 2).PayloadOf(3).Build().AsSpan(14)).Build();
        if (expected < 0)
        {
            Assert.Empty(plane.SendForDrop("wan", frame, DropReason.TunnelCongestion));
            return;
        }

        ReferencePacket left = ReferenceDecoder.Decode(plane.SendForOne("wan", frame, "lan"));
        Assert.Equal(0xB8 | expected, left.Tos);
        Assert.True(left.HeaderChecksumRight != false && left.TransportChecksumRight == true);
    }

    [Fact]
    public async Task Ttl_UsedUpInside_IsAnsweredToTheSenderInside()
    {
        await using TestPlane plane = Create();
        byte[] packet = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11", ttl: 1).Udp(1, 2).Build();
        byte[] answer = Assert.Single(plane.SendForDrop("wan", Enclosed(4, ForwardMode.Ipip, packet[14..]), DropReason.TtlExpired)).Frame;
        Assert.Equal(("198.51.100.2", 11), (ReferenceDecoder.Decode(answer).Destination, ReferenceDecoder.Decode(answer).IcmpType));
    }

    public static TheoryData<string, DropReason> Bad => new()
    {
        { "empty", DropReason.TunnelMalformed }, { "version 5", DropReason.TunnelMalformed }, { "version of the other protocol", DropReason.TunnelMalformed },
        { "gue variant 0", DropReason.TunnelMalformed }, { "gue empty", DropReason.TunnelMalformed }, { "gue checksum", DropReason.TunnelMalformed },
        { "cut off", DropReason.TruncatedIp }, { "longer than the datagram", DropReason.TruncatedIp }, { "inner checksum", DropReason.BadIpChecksum },
        { "another source", DropReason.TunnelSource }, { "martian outside", DropReason.MartianSource }, { "martian inside", DropReason.MartianSource },
        { "own source inside", DropReason.OwnSource }, { "fragment", DropReason.TunnelFragment }, { "nested", DropReason.TunnelNested },
        { "nested gue", DropReason.TunnelNested }, { "to nobody here", DropReason.NoRoute }, { "kind not taken", DropReason.LocalUnreachable },
        { "multicast inside", DropReason.Multicast },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task Packet_ThatCannotBeTakenOut_IsDroppedByItsName(string what, DropReason reason)
    {
        await using TestPlane plane = Create(from: [IpPrefix.Parse("198.51.100.64/26")]);
        byte[] good = Direct(4).Udp(1000, 53).PayloadOf(20).Build()[14..];
        plane.SendForDrop("wan", Make(what, good), reason);
        Assert.All(plane.Engine.ReadDecapsulations(), status => Assert.True(status.Packets <= 1));
    }

    [Fact]
    public async Task Explain_ShowsWhatWasTakenOut()
    {
        await using TestPlane plane = Create();
        byte[] frame = Enclosed(6, ForwardMode.Gue, Direct(4).Udp(1000, 53).Build()[14..]);
        Explanation explanation = plane.Engine.Explain(frame, "wan");
        Assert.Contains($"gue from {Far6} to {Own6}", explanation.ToString(), StringComparison.Ordinal);
        Assert.All(plane.Engine.ReadDecapsulations(), status => Assert.Equal(0, status.Packets));
        plane.SendForOne("wan", frame, "lan");
    }

    [Fact]
    public async Task Counters_OfAnAddressThatStays_GoOnOverAReload()
    {
        await using TestPlane plane = Create();
        byte[] frame = Enclosed(4, ForwardMode.Ipip, Direct(4).Udp(1000, 53).Build()[14..]);
        plane.SendForOne("wan", frame, "lan");
        await plane.Engine.UpdateAsync(spec => spec with { Encapsulation = spec.Encapsulation with { Decapsulate = [spec.Encapsulation.Decapsulate[0]] } });
        plane.SendForOne("wan", frame, "lan");
        DecapsulationStatus status = Assert.Single(plane.Engine.ReadDecapsulations());
        Assert.Equal((2, 2L * frame.Length), (status.Packets, status.Bytes));
    }

    internal static TestPlane Create(IpPrefix[]? from = null, Action<DataplaneBuilder>? configure = null) => TestPlane.Create(builder =>
    {
        builder.Encapsulation(new EncapsulationSpec
        {
            Decapsulate =
            [
                new DecapsulationSpec { Address = IpAddress.Parse(Own4), From = from ?? [] },
                new DecapsulationSpec { Address = IpAddress.Parse(Own6), Kinds = from is null ? TunnelKinds.Ipip | TunnelKinds.Gue : TunnelKinds.Gue },
            ],
        });
        configure?.Invoke(builder);
    });

    internal static byte[] Enclosed(int outer, ForwardMode mode, byte[] packet, string? from = null)
    {
        PacketBuilder frame = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
            .Ip(IpAddress.Parse(from ?? (outer == 4 ? Far4 : Far6)), IpAddress.Parse(outer == 4 ? Own4 : Own6));
        return (mode == ForwardMode.Gue ? frame.Udp(50000, 6080) : frame.Carrying(packet[0] >> 4 == 4 ? (ushort)4 : (ushort)41)).Payload(packet).Build();
    }

    private static byte[] Make(string what, byte[] good)
    {
        PacketBuilder outer = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(Far4, Own4);
        switch (what)
        {
            case "empty":
                return outer.Carrying(4).Build();
            case "version 5":
                return outer.Carrying(4).Payload([0x50, .. good[1..]]).Build();
            case "version of the other protocol":
                return outer.Carrying(41).Payload(good).Build();
            case "gue variant 0":
                return outer.Udp(1, 6080).Payload([0, 4, 0, 0, .. good]).Build();
            case "gue empty":
                return outer.Udp(1, 6080).Build();
            case "gue checksum":
                byte[] wrong = outer.Udp(1, 6080).Payload(good).Build();
                wrong[^1] ^= 1;
                return wrong;
            case "cut off":
                return outer.Carrying(4).Payload(good.AsSpan(0, good.Length - 1)).Build();
            case "longer than the datagram":
                byte[] shorter = outer.Udp(1, 6080, checksum: false).Payload(good).Build();
                shorter[39]--;
                return shorter;
            case "inner checksum":
                good[10] ^= 1;
                return outer.Carrying(4).Payload(good).Build();
            case "another source":
                return Enclosed(4, ForwardMode.Ipip, good, "198.51.100.2");
            case "martian outside":
                return Enclosed(4, ForwardMode.Ipip, good, "127.0.0.1");
            case "martian inside":
                return outer.Carrying(4).Payload(Inner("127.0.0.1", "10.1.0.11")).Build();
            case "own source inside":
                return outer.Carrying(4).Payload(Inner("10.1.0.1", "10.1.0.11")).Build();
            case "fragment":
                return outer.Udp(1, 6080).Payload([.. good, .. new byte[1000]]).BuildFragments(512)[0];
            case "nested":
                return outer.Carrying(4).Payload(Enclosed(4, ForwardMode.Ipip, good).AsSpan(14)).Build();
            case "nested gue":
                return outer.Carrying(41).Payload(Enclosed(6, ForwardMode.Gue, good).AsSpan(14)).Build();
            case "to nobody here":
                return outer.Carrying(4).Payload(Inner("198.51.100.2", "192.0.2.200")).Build();
            case "kind not taken":
                return Enclosed(6, ForwardMode.Ipip, good);
            default:
                return outer.Carrying(4).Payload(Inner("198.51.100.2", "224.0.0.5")).Build();
        }
    }

    private static byte[] Inner(string source, string destination) =>
        PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(source, destination).Udp(1, 2).Build()[14..];

    private static PacketBuilder Direct(int family) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
        .Ip(IpAddress.Parse(family == 4 ? "198.51.100.2" : "2001:db8:1::2"), IpAddress.Parse(family == 4 ? "10.1.0.11" : "2001:db8:2::11"));
}
