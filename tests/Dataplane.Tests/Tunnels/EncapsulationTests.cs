using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tunnels;

namespace Dataplane.Tests.Tunnels;

/// <summary>Services forwarded inside other packets: every byte of what leaves, by the stages and by what flows remember.</summary>
public sealed class EncapsulationTests
{
    private const TcpFlags Ack = TcpFlags.Ack;

    // RFC 2003, 3.1; RFC 2473, 3.1 and 6.3; RFC 4213, 3.5; draft-ietf-intarea-gue, 4.
    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task Packet_ToTheService_LeavesAsItIsInsideAnother(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using TestPlane plane = net.Create();
        byte[][] frames =
        [
            net.Net.FromClient().Tcp(1000, 80, TcpFlags.Syn).Build(), net.Net.FromClient().Tcp(1000, 80, Ack, 7, 9).PayloadOf(33).Build(),
            net.Net.FromClient().Tcp(1000, 80, Ack | TcpFlags.Psh, 40, 9).PayloadOf(1301).Build(), net.Net.FromClient().Tcp(1000, 80, Ack, 90, 9).Build(),
        ];
        var labels = new HashSet<(int, int)>();
        foreach (byte[] frame in frames)
        {
            byte[] left = plane.SendForOne("wan", frame, "lan");
            ServiceNet.Same(net.Expected(frame, left), left);
            ReferencePacket packet = ReferenceDecoder.Decode(left);
            labels.Add((packet.FlowLabel, net.IsGue ? packet.SourcePort : 0));
            Assert.True(!net.IsGue || packet.SourcePort >= 49152, $"source port {packet.SourcePort}");
        }

        // One flow, one way through networks that look at the outer header.
        Assert.Single(labels);
        Assert.Equal(4, plane.Engine.ReadServices()[0].Backends[0].Packets);
    }

    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task Datagram_WithAndWithoutChecksumAndInFragments_LeavesInsideAnother(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using TestPlane plane = net.Create(tcp: false);
        List<byte[]> frames =
        [
            net.Net.FromClient().Udp(1000, 80).PayloadOf(20).Build(), net.Net.FromClient().Udp(1000, 80).PayloadOf(21).Build(),
            .. net.Net.FromClient().Udp(1000, 80).PayloadOf(2001).BuildFragments(1024),
        ];
        if (inner == 4)
        {
            frames.Add(net.Net.FromClient().Udp(1000, 80, checksum: false).PayloadOf(333).Build());
        }

        foreach (byte[] frame in frames)
        {
            byte[] left = plane.SendForOne("wan", frame, "lan");
            ServiceNet.Same(net.Expected(frame, left), left);
        }
    }

    // RFC 6040, 4.1: both bits of ECN are copied, and the class of service with them.
    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task TypeOfService_OfThePacket_IsThatOfTheOuterHeader(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using TestPlane plane = net.Create();
        foreach (byte tos in new byte[] { 0xB8, 0xB9, 0x02, 0xFF })
        {
            PacketBuilder packet = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac);
            packet = inner == 4
                ? packet.Ipv4(net.Net.Client.ToString(), net.Net.Service.ToString(), tos: tos)
                : packet.Ipv6(net.Net.Client.ToString(), net.Net.Service.ToString(), trafficClass: tos);
            byte[] frame = packet.Tcp(1000, 80, Ack).Build(), left = plane.SendForOne("wan", frame, "lan");
            ServiceNet.Same(net.Expected(frame, left, tos), left);
        }
    }

    [Theory]
    [InlineData(4, "172.16.0.0/16")]
    [InlineData(6, "100::/64")]
    public async Task Source_OfAPrefix_DiffersFromFlowToFlowAndNotWithinOne(int outer, string prefix)
    {
        var net = new TunnelNet(4, outer, ForwardMode.Ipip);
        await using TestPlane plane = net.Create(configure: builder => builder.Encapsulation(new EncapsulationSpec { Sources = [IpPrefix.Parse(prefix)] }));
        var sources = new HashSet<string>();
        for (ushort port = 1000; port < 1064; port++)
        {
            byte[] first = net.Net.FromClient().Tcp(port, 80, TcpFlags.Syn).Build(), left = plane.SendForOne("wan", first, "lan");
            string source = ReferenceDecoder.Decode(left).Source;
            Assert.True(IpPrefix.Parse(prefix).Contains(IpAddress.Parse(source)), source);
            ServiceNet.Same(net.Expected(first, left, source: source), left);
            byte[] second = net.Net.FromClient().Tcp(port, 80, Ack).Build();
            left = plane.SendForOne("wan", second, "lan");
            ServiceNet.Same(net.Expected(second, left, source: source), left);
            sources.Add(source);
        }

        Assert.True(sources.Count > 50, $"{sources.Count} sources for 64 flows");
    }

    // RFC 2003, 5.1; RFC 4213, 3.2: the sender hears how much fits inside.
    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task Packet_TooLongWithItsOuterHeader_IsAnsweredWithWhatFits(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using TestPlane plane = net.Create();
        int fits = 1500 - net.OuterBytes, headers = (inner == 4 ? 20 : 40) + 20;
        foreach (TcpFlags flags in new[] { TcpFlags.Syn, Ack, Ack })
        {
            byte[] longest = Whole(net, flags, fits - headers), left = plane.SendForOne("wan", longest, "lan");
            Assert.Equal(1514, left.Length);
            ServiceNet.Same(net.Expected(longest, left), left);

            byte[] tooLong = Whole(net, flags, fits - headers + 1);
            (string port, byte[] answer) = Assert.Single(plane.SendForDrop("wan", tooLong, DropReason.PacketTooBig));
            ReferencePacket error = ReferenceDecoder.Decode(answer);
            Assert.Equal(("wan", net.Net.Client.ToString()), (port, error.Destination));
            Assert.Equal((inner == 4 ? (3, 4) : (2, 0), (uint)fits), ((error.IcmpType, error.IcmpCode), error.IcmpRest));
            Assert.True(error.TransportChecksumRight);
            Assert.Equal(tooLong[14..(14 + headers)], error.Payload[..headers]);
        }
    }

    // RFC 2003, 3.1: what may be fragmented is, before it is enclosed, so that the backend puts together what the client sent.
    [Theory]
    [InlineData(4, ForwardMode.Ipip)]
    [InlineData(6, ForwardMode.Ipip)]
    [InlineData(4, ForwardMode.Gue)]
    [InlineData(6, ForwardMode.Gue)]
    public async Task Packet_ThatMayBeFragmented_IsSplitInside(int outer, ForwardMode mode)
    {
        var net = new TunnelNet(4, outer, mode);
        await using TestPlane plane = net.Create(tcp: false, lanMtu: 1400);
        byte[] frame = net.Net.FromClient().Udp(1000, 80).PayloadOf(1472).Build();
        var payload = new MemoryStream();
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", frame);
        Assert.Equal(2, sent.Count);
        foreach ((string _, byte[] left) in sent.OrderBy(piece => ReferenceDecoder.DecodeIp(net.Inside(piece.Frame)).FragmentOffset))
        {
            ReferencePacket whole = ReferenceDecoder.Decode(left), inside = ReferenceDecoder.DecodeIp(net.Inside(left));
            Assert.True(whole.Problem is null && whole.HeaderChecksumRight != false && whole.TransportChecksumRight != false && inside.HeaderChecksumRight == true,
                Convert.ToHexString(left));
            Assert.True(left.Length <= 1414 && whole.Fragment == "none", "the outer packet is whole");
            Assert.Equal((net.Backend(11).ToString(), net.Net.Service.ToString(), 63), (whole.Destination, inside.Destination, inside.Ttl));
            Assert.Equal(payload.Length, inside.FragmentOffset);
            payload.Write(left.AsSpan(14 + net.OuterBytes + 20));
        }

        Assert.Equal(frame[34..], payload.ToArray());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Explain_ShowsTheOuterHeader_AndTheSameFrame(int outer)
    {
        var net = new TunnelNet(6, outer, ForwardMode.Gue);
        await using TestPlane plane = net.Create();
        foreach (TcpFlags flags in new[] { TcpFlags.Syn, Ack, Ack })
        {
            byte[] frame = net.Net.FromClient().Tcp(1000, 80, flags).Build();
            Explanation explanation = plane.Engine.Explain(frame, "wan");
            byte[] left = plane.SendForOne("wan", frame, "lan");
            ReferencePacket packet = ReferenceDecoder.Decode(left);
            Assert.Contains($"inside {packet.Source} > {packet.Destination} (gue, UDP {packet.SourcePort} > 6080, {net.OuterBytes} bytes more)", explanation.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Mode_ChangedByAReload_IsForAllFlowsThatAreNotTranslated()
    {
        var gue = new TunnelNet(4, 4, ForwardMode.Gue);
        TunnelNet ipip = gue with { Mode = ForwardMode.Ipip };
        await using TestPlane plane = gue.Create();
        byte[] frame = gue.Net.FromClient().Tcp(1000, 80, Ack).Build();
        Assert.Equal(frame.Length + 28, plane.SendForOne("wan", frame, "lan").Length);
        await plane.Engine.UpdateAsync(spec => Forward(spec, ForwardMode.Ipip));
        for (int times = 0; times < 3; times++)
        {
            byte[] left = plane.SendForOne("wan", frame, "lan");
            ServiceNet.Same(ipip.Expected(frame, left), left);
        }

        await plane.Engine.UpdateAsync(spec => Forward(spec, ForwardMode.Dsr));
        Assert.Equal(frame.Length, plane.SendForOne("wan", frame, "lan").Length);

        // From here on new flows are translated; the one that was not stays so.
        await plane.Engine.UpdateAsync(spec => Forward(spec, ForwardMode.Nat));
        Assert.Equal("203.0.113.80", ReferenceDecoder.Decode(plane.SendForOne("wan", frame, "lan")).Destination);
        byte[] other = gue.Net.FromClient().Tcp(1001, 80, TcpFlags.Syn).Build();
        Assert.Equal("10.1.0.11", ReferenceDecoder.Decode(plane.SendForOne("wan", other, "lan")).Destination);
        await plane.Engine.UpdateAsync(spec => Forward(spec, ForwardMode.Gue));
        Assert.Equal("10.1.0.11", ReferenceDecoder.Decode(plane.SendForOne("wan", other, "lan")).Destination);
        Assert.Equal(frame.Length + 28, plane.SendForOne("wan", frame, "lan").Length);
        Assert.Equal(2, plane.Engine.ReadServices()[0].Backends[0].ActiveFlows);
    }

    [Theory]
    [MemberData(nameof(TunnelNet.All), MemberType = typeof(TunnelNet))]
    public async Task Packet_HeldForItsNeighbour_LeavesEnclosed(int inner, int outer, ForwardMode mode)
    {
        var net = new TunnelNet(inner, outer, mode);
        await using TestPlane plane = TestPlane.Create(builder =>
        {
            builder.Encapsulation(TunnelNet.Sources).Neighbour("wan", net.Net.Client.ToString(), TestPlane.ClientMac.ToString());
            net.AddTo(builder, "web", true, 11);
        }, withNeighbours: false);
        byte[] frame = net.Net.FromClient().Tcp(1000, 80, TcpFlags.Syn).Build();
        Assert.Single(plane.Send("wan", frame));
        byte[] reply = outer == 4
            ? PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).ArpReply(net.Backend(11).ToString(), TestPlane.LanMac.ToString(), "10.1.0.1").Build()
            : PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(net.Backend(11), IpAddress.Parse("2001:db8:2::1"), 255)
                .NeighbourAdvertisement(new NeighbourAdvertisementFields { Target = net.Backend(11), IsSolicited = true, IsOverride = true, TargetLinkLayerAddress = TestPlane.ServerMac }).Build();
        byte[] left = Assert.Single(plane.Send("lan", reply), sent => sent.Port == "lan").Frame;
        ServiceNet.Same(net.Expected(frame, left), left);
    }

    private static DataplaneSpec Forward(DataplaneSpec spec, ForwardMode mode) => spec with { Services = [spec.Services[0] with { Forward = mode }] };

    private static byte[] Whole(TunnelNet net, TcpFlags flags, int payload)
    {
        PacketBuilder packet = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac);
        packet = net.Inner == 4
            ? packet.Ipv4(net.Net.Client.ToString(), net.Net.Service.ToString(), dontFragment: true)
            : packet.Ipv6(net.Net.Client.ToString(), net.Net.Service.ToString());
        return packet.Tcp(1000, 80, flags).PayloadOf(payload).Build();
    }
}
