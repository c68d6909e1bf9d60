using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>What both sides of a translation between the families see: every byte, both ways.</summary>
public sealed class Nat64Tests
{
    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 2)]
    public async Task Tcp_WholeConnection_IsTranslatedByteExactBothWays(bool isMapped, int workers)
    {
        await using TestPlane plane = Create(Rule(isMapped), workers);
        (bool Outwards, TcpFlags Flags, int Bytes)[] segments =
        [
            (true, TcpFlags.Syn, 0), (false, TcpFlags.Syn | TcpFlags.Ack, 0), (true, TcpFlags.Ack, 0), (true, TcpFlags.Ack | TcpFlags.Psh, 333), (true, TcpFlags.Ack, 1400),
            (false, TcpFlags.Ack, 1400), (false, TcpFlags.Ack, 7), (true, TcpFlags.Ack | TcpFlags.Fin, 0), (false, TcpFlags.Ack | TcpFlags.Fin, 1),
        ];
        foreach ((bool outwards, TcpFlags flags, int bytes) in segments)
        {
            if (outwards)
            {
                byte[] sent = plane.SendForOne("lan", FromInside(tos: 0x2E).Tcp(40000, 443, flags, 77, 5).PayloadOf(bytes).Build(), "wan");

                // Up to 1,260 bytes an IPv4 packet may be fragmented, and has a number for it.
                bool isLong = bytes > 1220;
                Same(AtOutside(isLong ? (ushort)0 : IdentificationOf(sent), isLong, tos: 0x2E).Tcp(40000, 443, flags, 77, 5).PayloadOf(bytes).Build(), sent);
            }
            else
            {
                byte[] sent = plane.SendForOne("wan", FromOutside(tos: 0x2E).Tcp(443, 40000, flags, 99, 5).PayloadOf(bytes).Build(), "lan");
                Same(AtInside(tos: 0x2E).Tcp(443, 40000, flags, 99, 5).PayloadOf(bytes).Build(), sent);
            }
        }

        NatStatus status = Assert.Single(plane.Engine.ReadNat(), entry => entry.Address == Gateway);
        Assert.Equal((1L, (long)segments.Length), (status.Flows, status.Packets));
        FlowStatus[] flows = [.. plane.Engine.ReadFlows(10)];
        Assert.Contains(flows, flow => flow.Source == Host(11) && flow.Destination == Embedded && flow.NewSource == Gateway && flow.NewDestination == Server);
        Assert.Contains(flows, flow => flow.Source == Server && flow.Destination == Gateway && flow.NewSource == Embedded && flow.NewDestination == Host(11));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Udp_EveryPayloadSum_IsTranslatedByteExactBothWays(bool isMapped)
    {
        await using TestPlane plane = Create(Rule(isMapped));
        for (int value = 0; value < 3000; value++)
        {
            byte[] payload = [(byte)(value * 22 >> 8), (byte)(value * 22), (byte)value];
            byte[] there = plane.SendForOne("lan", FromInside().Udp(5353, 53).Payload(payload).Build(), "wan");
            Same(AtOutside(IdentificationOf(there)).Udp(5353, 53).Payload(payload).Build(), there);
            byte[] back = plane.SendForOne("wan", FromOutside().Udp(53, 5353).Payload(payload).Build(), "lan");
            Same(AtInside().Udp(53, 5353).Payload(payload).Build(), back);
        }
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(false, 3)]
    public async Task Echo_TwoHostsOneIdentifier_EachGetsItsOwnReplies(bool isMapped, int workers)
    {
        await using TestPlane plane = Create(Rule(isMapped), workers);
        byte[] first = plane.SendForOne("lan", FromInside(11).EchoRequest(7, 1).PayloadOf(56).Build(), "wan");
        Same(AtOutside(IdentificationOf(first)).EchoRequest(7, 1).PayloadOf(56).Build(), first);
        byte[] second = plane.SendForOne("lan", FromInside(12).EchoRequest(7, 1).PayloadOf(57).Build(), "wan");
        ushort identifier = (ushort)((second[14 + 20 + 4] << 8) | second[14 + 20 + 5]);
        Assert.NotEqual(7, identifier);
        Same(AtOutside(IdentificationOf(second)).EchoRequest(identifier, 1).PayloadOf(57).Build(), second);
        for (ushort sequence = 1; sequence < 4; sequence++)
        {
            Same(AtInside(11).EchoReply(7, sequence).PayloadOf(56).Build(), plane.SendForOne("wan", FromOutside().EchoReply(7, sequence).PayloadOf(56).Build(), "lan"));
            Same(AtInside(12).EchoReply(7, sequence).PayloadOf(57).Build(), plane.SendForOne("wan", FromOutside().EchoReply(identifier, sequence).PayloadOf(57).Build(), "lan"));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1001)]
    public async Task Udp_WithoutChecksum_GetsOne(int bytes)
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Payload("x").Build(), "wan");
        Same(AtInside().Udp(53, 5353).PayloadOf(bytes).Build(), plane.SendForOne("wan", FromOutside().Udp(53, 5353, checksum: false).PayloadOf(bytes).Build(), "lan"));
    }

    [Fact]
    public async Task LastHop_BothWays_IsToldInItsOwnFamily()
    {
        await using TestPlane plane = Create();
        byte[] packet = FromInside(ttl: 1).Udp(5353, 53).Payload("x").Build();
        (string port, byte[] error) = Assert.Single(plane.SendForDrop("lan", packet, DropReason.TtlExpired));
        ReferencePacket told = ReferenceDecoder.Decode(error);
        Assert.Equal(("lan", 6, "2001:db8:2::1", Icmpv6Types.TimeExceeded), (port, told.IpVersion, told.Source, (byte)told.IcmpType));
        Assert.True(error.AsSpan().IndexOf(packet.AsSpan(14)) > 0, "it quotes the packet as its sender sent it");

        plane.SendForOne("lan", FromInside().Udp(5353, 53).Payload("x").Build(), "wan");
        byte[] answer = FromOutside(ttl: 1).Udp(53, 5353).Payload("x").Build();
        (port, error) = Assert.Single(plane.SendForDrop("wan", answer, DropReason.TtlExpired));
        told = ReferenceDecoder.Decode(error);
        Assert.Equal(("wan", 4, "198.51.100.1", 11), (port, told.IpVersion, told.Source, told.IcmpType));
        Assert.True(error.AsSpan().IndexOf(answer.AsSpan(14)) > 0);
    }

    [Theory]
    [InlineData(1260, false)]
    [InlineData(1261, true)]
    public async Task DontFragment_Outside_IsSetAbove1260Bytes(int length, bool expected)
    {
        // RFC 7915 5.1, of the IPv4 packet.
        await using TestPlane plane = Create();
        byte[] sent = plane.SendForOne("lan", FromInside().Udp(5353, 53).PayloadOf(length - 28).Build(), "wan");
        Assert.Equal((14 + length, expected), (sent.Length, ReferenceDecoder.Decode(sent).DontFragment));
    }

    [Fact]
    public async Task ExtensionHeaders_AreLeftOut()
    {
        await using TestPlane plane = Create();
        byte[] sent = plane.SendForOne("lan", FromInside().HopByHop().DestinationOptions().Udp(5353, 53).Payload("options").Build(), "wan");
        Same(AtOutside(IdentificationOf(sent)).Udp(5353, 53).Payload("options").Build(), sent);

        // A routing header that has led everywhere is one of them; an atomic fragment keeps its number and may be fragmented (RFC 7915 5.1.1).
        sent = plane.SendForOne("lan", FromInside().Routing(0, 0, new byte[20]).Udp(5353, 53).Payload("routed").Build(), "wan");
        Same(AtOutside(IdentificationOf(sent)).Udp(5353, 53).Payload("routed").Build(), sent);
        sent = plane.SendForOne("lan", FromInside().Fragment(0, false, 0xABCD1234).Udp(5353, 53).Payload("atomic").Build(), "wan");
        Same(AtOutside(0x1234).Udp(5353, 53).Payload("atomic").Build(), sent);
    }

    [Fact]
    public async Task RoutingHeader_WithSegmentsLeft_IsToldWhere()
    {
        await using TestPlane plane = Create();
        byte[] packet = FromInside().Routing(0, 1, new byte[20]).Udp(5353, 53).Payload("x").Build();
        (_, byte[] error) = Assert.Single(plane.SendForDrop("lan", packet, DropReason.NatUnsupported));
        Assert.Equal((4, 0), (error[54], error[55]));
        Assert.Equal(43, error[61]);
    }

    [Fact]
    public async Task SourceRoute_OfIpv4_IsRefusedWhileItLeadsOn()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Payload("x").Build(), "wan");
        (_, byte[] error) = Assert.Single(plane.SendForDrop("wan", WithOptions([131, 7, 4, 10, 1, 1, 1, 0]), DropReason.NatUnsupported));
        Assert.Equal((3, 5), (error[34], error[35]));

        // One that has been everywhere is left out, as all options are.
        Same(AtInside().Udp(53, 5353).Payload("y").Build(), plane.SendForOne("wan", WithOptions([1, 131, 7, 8, 10, 1, 1, 1]), "lan"));
    }

    private static byte[] WithOptions(byte[] options) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
        .Ipv4(new Ipv4Fields { Source = Server, Destination = Gateway, Ttl = 64 }, options).Udp(53, 5353).Payload("y").Build();

    [Fact]
    public async Task OtherProtocols_AndAddressesNobodyHas_AreCounted()
    {
        await using TestPlane plane = Create();
        plane.SendForDrop("lan", FromInside().Carrying(IpProtocols.Esp).PayloadOf(40).Build(), DropReason.NatUnsupported);
        plane.SendForDrop("lan", FromInside(remote: IpAddress.Parse("127.0.0.1")).Udp(1, 2).Build(), DropReason.Nat64Address);
        plane.SendForDrop("lan", FromInside(remote: IpAddress.Parse("198.51.100.1")).Udp(1, 2).Build(), DropReason.LocalUnreachable);
        Assert.Empty(plane.Engine.ReadFlows(10));
    }

    [Fact]
    public async Task WellKnownPrefix_LeadsToGlobalAddressesOnly()
    {
        await using TestPlane plane = Create(Rule() with { Nat64 = IpPrefix.Parse("64:ff9b::/96") });
        PacketBuilder To(string address) => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6(Host(11).ToString(), "64:ff9b::" + address);
        plane.SendForDrop("lan", To("10.1.0.11").Udp(5353, 53).Build(), DropReason.Nat64Address);
        plane.SendForDrop("lan", To("198.51.100.2").Udp(5353, 53).Build(), DropReason.Nat64Address);
        byte[] sent = plane.SendForOne("lan", To("8.8.8.8").Udp(5353, 53).Payload("q").Build(), "wan");
        Same(AtOutside(IdentificationOf(sent), remote: IpAddress.Parse("8.8.8.8")).Udp(5353, 53).Payload("q").Build(), sent);
    }

    [Theory]
    [InlineData("2001:db8::/32", "2001:db8:c633:6402::")]
    [InlineData("2001:db8:100::/40", "2001:db8:1c6:3364:2::")]
    [InlineData("2001:db8:122::/48", "2001:db8:122:c633:64:200::")]
    [InlineData("2001:db8:122:300::/56", "2001:db8:122:3c6:33:6402::")]
    [InlineData("2001:db8:122:344::/64", "2001:db8:122:344:c6:3364:200::")]
    public async Task EveryPrefixLength_BothWays_IsTranslated(string prefix, string embedded)
    {
        // The /32 of the documentation holds the tests' own addresses, so the prefixes are moved aside.
        string Moved(string text) => text.Replace("2001:db8", "2001:db7", StringComparison.Ordinal);
        await using TestPlane plane = Create(Rule() with { Nat64 = IpPrefix.Parse(Moved(prefix)) });
        byte[] there = plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6(Host(11).ToString(), Moved(embedded)).Udp(5353, 53).Payload("q").Build(), "wan");
        Same(AtOutside(IdentificationOf(there)).Udp(5353, 53).Payload("q").Build(), there);
        byte[] back = plane.SendForOne("wan", FromOutside().Udp(53, 5353).Payload("a").Build(), "lan");
        Same(PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ipv6(Moved(embedded), Host(11).ToString(), 63).Udp(53, 5353).Payload("a").Build(), back);
    }

    [Fact]
    public async Task NoRoute_ToTheIpv4Address_IsToldAndMakesNoFlow()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat(Rule()));
        (_, byte[] error) = Assert.Single(plane.SendForDrop("lan", FromInside(remote: IpAddress.Parse("8.8.8.8")).Udp(1, 2).Build(), DropReason.NoRoute));
        Assert.Equal((1, 0), (error[54], error[55]));
        Assert.Empty(plane.Engine.ReadFlows(10));
    }

    [Fact]
    public async Task Ports_UsedUp_AreCountedAndHarmNobody()
    {
        // Of the ports below 1024 with one parity there are 511: the ones a pool of one address has towards one remote end.
        await using TestPlane plane = Create(Rule(isMapped: false));
        int made = 0;
        for (int host = 11; host < 14; host++)
        {
            for (ushort port = 1; port < 1023; port += 2)
            {
                long before = plane.Engine.ReadAccounting().DroppedFor(DropReason.NoFreePort);
                IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("lan", FromInside(host).Udp(port, 53).Build());
                made += sent.Count;
                Assert.Equal(sent.Count == 0 ? 1 : 0, plane.Engine.ReadAccounting().DroppedFor(DropReason.NoFreePort) - before);
            }
        }

        Assert.InRange(made, 480, 512);
        Same(AtInside(11).Udp(53, 1).Payload("a").Build(), plane.SendForOne("wan", FromOutside().Udp(53, 1).Payload("a").Build(), "lan"));
    }

    [Fact]
    public async Task Timeout_OfTheRule_EndsTheFlow()
    {
        await using TestPlane plane = Create(Rule() with { Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(5) } });
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        plane.Wait(TimeSpan.FromSeconds(90));
        Assert.Empty(plane.Engine.ReadFlows(10));
        Assert.Equal(0, plane.Engine.ReadNat().Sum(entry => entry.Mappings));
        Assert.DoesNotContain(plane.Send("wan", FromOutside().Udp(53, 5353).Build()), frame => frame.Port == "lan");
    }

    [Fact]
    public async Task Explain_NamesEachStep()
    {
        await using TestPlane plane = Create();
        Explanation first = plane.Engine.Explain(FromInside().Udp(5353, 53).Payload("x").Build(), "lan");
        string text = first.ToString();
        Assert.Contains("198.51.100.2 behind 2001:db8:64::/96", text, StringComparison.Ordinal);
        Assert.Contains("leaves as IPv4, from 198.51.100.1 port 5353", text, StringComparison.Ordinal);
        Assert.Contains("as a packet of the other family", text, StringComparison.Ordinal);
        Assert.Empty(plane.Engine.ReadFlows(10));
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Payload("x").Build(), "wan");
        string back = plane.Engine.Explain(FromOutside().Udp(53, 5353).Payload("y").Build(), "wan").ToString();
        Assert.Contains("leaves as 2001:db8:64::c633:6402 > 2001:db8:2::11", back, StringComparison.Ordinal);
    }
}
