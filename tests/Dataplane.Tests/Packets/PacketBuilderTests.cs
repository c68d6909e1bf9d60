using Dataplane.Packets;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Packets;

public class PacketBuilderTests
{
    private const string A = "02:00:00:00:00:01", B = "02:00:00:00:00:02";

    [Fact]
    public void Build_UdpInVlan_IsReadAsWritten()
    {
        byte[] frame = PacketBuilder.Ethernet(A, B).Vlan(5, priority: 3).Ipv4("10.0.0.1", "192.0.2.7", ttl: 63, tos: 8, identification: 77, dontFragment: true)
            .Udp(1000, 80).Payload("hello").Build();
        ReferencePacket packet = Sound(frame);
        Assert.Equal((A, B), (packet.SourceMac, packet.DestinationMac));
        Assert.Equal([(0x8100, 3, false, 5)], packet.Tags);
        Assert.Equal((0x0800, 4, "10.0.0.1", "192.0.2.7"), (packet.EtherType, packet.IpVersion, packet.Source, packet.Destination));
        Assert.Equal((63, 8, 77u, true, 17), (packet.Ttl, packet.Tos, packet.Identification, packet.DontFragment, packet.Protocol));
        Assert.Equal((1000, 80), (packet.SourcePort, packet.DestinationPort));
        Assert.Equal("hello"u8.ToArray(), packet.Payload);
        Assert.Equal(14 + 4 + 20 + 8 + 5, frame.Length);
    }

    [Fact]
    public void Build_TcpOverIpv6_IsReadAsWritten()
    {
        byte[] frame = PacketBuilder.Ethernet(A, B).Vlan(100, protocol: EtherTypes.ServiceVlan).Vlan(5)
            .Ipv6("2001:db8::1", "2001:db8::2", hopLimit: 3, trafficClass: 0xB8, flowLabel: 0xABCDE).HopByHop([5, 2, 0, 0]).DestinationOptions()
            .Tcp(1000, 443, TcpFlags.Ack | TcpFlags.Psh, 0xFFFFFFFF, 1, 512).PayloadOf(100).Build();
        ReferencePacket packet = Sound(frame);
        Assert.Equal([(0x88A8, 0, false, 100), (0x8100, 0, false, 5)], packet.Tags);
        Assert.Equal([0, 60], packet.ExtensionHeaders);
        Assert.Equal((6, 3, 0xB8, 0xABCDE, 6), (packet.IpVersion, packet.Ttl, packet.Tos, packet.FlowLabel, packet.Protocol));
        Assert.Equal((1000, 443, 0x18, 512), (packet.SourcePort, packet.DestinationPort, packet.TcpFlags, packet.TcpWindow));
        Assert.Equal((0xFFFFFFFFu, 1u), (packet.SequenceNumber, packet.AcknowledgmentNumber));
        Assert.Equal((100, 99), (packet.Payload.Length, packet.Payload[99]));
    }

    [Fact]
    public void Build_TcpWithOptions_IsReadAsWritten()
    {
        var syn = new TcpFields { Flags = TcpFlags.Syn, MaxSegmentSize = 1460, WindowScale = 7 };
        ReferencePacket packet = Sound(PacketBuilder.Ethernet(A, B).Ipv4("10.0.0.1", "192.0.2.7").Tcp(syn).Build());
        Assert.Equal((28, 2), (packet.TcpHeaderLength, packet.TcpFlags));
    }

    [Theory]
    [InlineData("10.0.0.1", "10.0.0.2", 1, 8, 0)]
    [InlineData("2001:db8::1", "2001:db8::2", 58, 128, 129)]
    public void Build_Echo_FollowsTheFamily(string source, string destination, int protocol, int request, int reply)
    {
        PacketBuilder Ip() => PacketBuilder.Ethernet(A, B).Ip(IpAddress.Parse(source), IpAddress.Parse(destination), 9);
        ReferencePacket asked = Sound(Ip().EchoRequest(7, 9).PayloadOf(56).Build()), answered = Sound(Ip().EchoReply(7, 9).PayloadOf(56).Build());
        Assert.Equal((protocol, request, 0x00070009u, 9), (asked.Protocol, asked.IcmpType, asked.IcmpRest, asked.Ttl));
        Assert.Equal((protocol, reply, 0x00070009u, 9), (answered.Protocol, answered.IcmpType, answered.IcmpRest, answered.Ttl));
    }

    [Fact]
    public void Build_Arp_IsReadAsWritten()
    {
        byte[] request = PacketBuilder.Ethernet(A, "ff:ff:ff:ff:ff:ff").ArpRequest("10.0.0.1", "10.0.0.2").Build();
        Assert.Equal(new ReferenceArp(1, A, "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2"), Sound(request).Arp);
        byte[] reply = PacketBuilder.Ethernet(A, B).Vlan(7).ArpReply("10.0.0.1", B, "10.0.0.2").PadTo().Build();
        Assert.Equal(new ReferenceArp(2, A, "10.0.0.1", B, "10.0.0.2"), Sound(reply).Arp);
        Assert.Equal(60, reply.Length);
    }

    [Fact]
    public void Build_NeighbourDiscovery_HasRightChecksums()
    {
        PacketBuilder Ip() => PacketBuilder.Ethernet(A, "33:33:00:00:00:01").Ipv6("fe80::1", "ff02::1", hopLimit: 255);
        IpAddress target = IpAddress.Parse("fe80::2");
        MacAddress mac = MacAddress.Parse(A);
        Assert.Equal(133, Sound(Ip().RouterSolicitation(new RouterSolicitationFields { SourceLinkLayerAddress = mac }).Build()).IcmpType);
        Assert.Equal(134, Sound(Ip().RouterAdvertisement(new RouterAdvertisementFields { MtuBytes = 1400 }).Build()).IcmpType);
        Assert.Equal(135, Sound(Ip().NeighbourSolicitation(new NeighbourSolicitationFields { Target = target }).Build()).IcmpType);
        var advertisement = new NeighbourAdvertisementFields { Target = target, TargetLinkLayerAddress = mac };
        Assert.Equal(136, Sound(Ip().NeighbourAdvertisement(advertisement).Build()).IcmpType);
        Assert.Equal(137, Sound(Ip().NdRedirect(new NdRedirectFields { Target = target, Destination = target }).Build()).IcmpType);
    }

    [Fact]
    public void Build_PaddingAndTrailer_AreOutsideIp()
    {
        ReferencePacket packet = Sound(PacketBuilder.Ethernet(A, B).Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2).PadTo().Build());
        Assert.Equal((42, 18), (packet.EndOffset, packet.Trailer.Length));
    }

    [Fact]
    public void Build_TunnelledAndAuthenticated_AnnouncesEachLayer()
    {
        byte[] frame = PacketBuilder.Ethernet(A, B).Ipv6("2001:db8::1", "2001:db8::2").Ipv4("10.0.0.1", "10.0.0.2").Ipv4("10.1.0.1", "10.1.0.2")
            .Authentication(1, 2, new byte[12]).Ipv6("2001:db8::3", "2001:db8::4").Udp(1, 2).Build();
        Assert.Equal(4, Sound(frame).Protocol);
        Assert.Equal(4, ReferenceDecoder.DecodeIp(frame[54..]).Protocol);
        Assert.Equal(51, ReferenceDecoder.DecodeIp(frame[74..]).Protocol);
        Assert.Equal(41, frame[94]);
        Assert.True(ReferenceDecoder.DecodeIp(frame[118..]).TransportChecksumRight);
    }

    [Fact]
    public void Build_Carrying_AnnouncesWhatWasStated()
    {
        Assert.Equal(0x88CC, Sound(PacketBuilder.Ethernet(A, B).Carrying(0x88CC).PayloadOf(20).Build()).EtherType);
        Assert.Equal(132, Sound(PacketBuilder.Ethernet(A, B).Ipv6("::1", "::2").DestinationOptions().Carrying(132).PayloadOf(20).Build()).Protocol);
        Assert.Equal((253, 59), (
            Sound(PacketBuilder.Ethernet(A, B).Ipv4("10.0.0.1", "10.0.0.2").PayloadOf(1).Build()).Protocol,
            Sound(PacketBuilder.Ethernet(A, B).Ipv6("::1", "::2").Build()).Protocol));
        Assert.Equal(0x88B5, Sound(PacketBuilder.Ethernet(A, B).Vlan(1).PayloadOf(1).Build()).EtherType);
    }

    [Theory]
    [InlineData(8, 101)]
    [InlineData(64, 13)]
    [InlineData(800, 2)]
    [InlineData(808, 1)]
    public void BuildFragments_Ipv4_AddUpToThePacket(int dataBytes, int count)
    {
        PacketBuilder builder = PacketBuilder.Ethernet(A, B).Vlan(3).Ipv4("10.0.0.1", "10.0.0.2", identification: 99).Udp(1, 2).PayloadOf(800);
        IReadOnlyList<byte[]> fragments = builder.BuildFragments(dataBytes);
        Assert.Equal(count, fragments.Count);
        var data = new List<byte>();
        for (int index = 0; index < count; index++)
        {
            ReferencePacket packet = Sound(fragments[index]);
            Assert.Equal((data.Count, index < count - 1, 99u), (packet.FragmentOffset, packet.MoreFragments, packet.Identification));
            Assert.Equal(count == 1 ? "none" : index == 0 ? "first" : "later", packet.Fragment);
            data.AddRange(fragments[index][packet.TransportOffset..packet.EndOffset]);
        }

        Assert.Equal(builder.Build()[38..], data);
    }

    [Fact]
    public void BuildFragments_Ipv6_RepeatThePerFragmentPart()
    {
        PacketBuilder builder = PacketBuilder.Ethernet(A, B).Ipv6("2001:db8::1", "2001:db8::2").HopByHop().Routing(2, 0, new byte[20])
            .DestinationOptions().Tcp(1, 2).PayloadOf(300);
        byte[] whole = builder.Build();
        IReadOnlyList<byte[]> fragments = builder.BuildFragments(128, 0xABCD);
        Assert.Equal(3, fragments.Count);
        var data = new List<byte>();
        for (int index = 0; index < 3; index++)
        {
            ReferencePacket packet = Sound(fragments[index]);
            Assert.Equal(index == 0 ? [0, 43, 44, 60] : [0, 43, 44], packet.ExtensionHeaders);
            Assert.Equal((data.Count, index < 2, 0xABCDu), (packet.FragmentOffset, packet.MoreFragments, packet.Identification));
            data.AddRange(fragments[index][(14 + 40 + 8 + 24 + 8)..]);
        }

        Assert.Equal(whole[(14 + 40 + 8 + 24)..], data);
        Assert.Equal(whole, Assert.Single(builder.BuildFragments(1400)));
        byte[] first = Assert.IsType<byte[]>(PacketBuilder.WithoutLink().Ipv6("::1", "::2").Udp(1, 2).PayloadOf(9).BuildFragments(8)[0]);
        Assert.Equal((44, 17), (first[6], first[40]));
    }

    [Fact]
    public void BuildFragments_NotPossible_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuilder.WithoutLink().Ipv4("10.0.0.1", "10.0.0.2").BuildFragments(12));
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuilder.WithoutLink().Ipv4("10.0.0.1", "10.0.0.2").BuildFragments(0));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.Ethernet(A, B).ArpRequest("10.0.0.1", "10.0.0.2").BuildFragments(8));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.WithoutLink().Ipv6("::1", "::2").Fragment(0, true, 1).PayloadOf(8).BuildFragments(8));
        Assert.Throws<InvalidOperationException>(() =>
            PacketBuilder.WithoutLink().Ipv4(new Ipv4Fields { Source = IpAddress.AnyV4, Destination = IpAddress.AnyV4 }, [148, 4, 0, 0]).BuildFragments(8));
    }

    [Fact]
    public void Build_LayersInImpossibleOrder_Throw()
    {
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.WithoutLink().Vlan(1));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.Ethernet(A, B).Ipv4("10.0.0.1", "10.0.0.2").Vlan(1));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.Ethernet(A, B).Tcp(1, 2));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.Ethernet(A, B).Udp(1, 2));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.Ethernet(A, B).EchoRequest(1, 2));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.Ethernet(A, B).Ipv4("10.0.0.1", "10.0.0.2").HopByHop());
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.WithoutLink().ArpRequest("10.0.0.1", "10.0.0.2"));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.WithoutLink().Carrying(1));
        Assert.Throws<InvalidOperationException>(() => PacketBuilder.Ethernet(A, B).PayloadOf(1).PayloadOf(1));
        Assert.Throws<ArgumentException>(() => PacketBuilder.WithoutLink().Ipv4("::1", "10.0.0.2"));
        Assert.Throws<ArgumentException>(() => PacketBuilder.WithoutLink().Ip(IpAddress.AnyV4, IpAddress.AnyV6));
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuilder.WithoutLink().PayloadOf(65536));
        Assert.Throws<ArgumentOutOfRangeException>(() => PacketBuilder.WithoutLink().Ipv4("10.0.0.1", "10.0.0.2").PayloadOf(65516).Build());
    }

    private static ReferencePacket Sound(byte[] frame)
    {
        ReferencePacket packet = ReferenceDecoder.Decode(frame);
        Assert.Null(packet.Problem);
        Assert.True(packet.HeaderChecksumRight ?? true);
        Assert.True(packet.TransportChecksumRight ?? true);
        bool checkable = packet.Fragment == "none" && (packet.Protocol is 6 or 17 or 1 or 58);
        Assert.Equal(checkable, packet.TransportChecksumRight is not null);
        return packet;
    }
}
