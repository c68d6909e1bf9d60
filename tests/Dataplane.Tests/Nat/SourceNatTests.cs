using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Nat;

/// <summary>What both sides of a source translation see: every byte, both ways.</summary>
public sealed class SourceNatTests
{
    private static TestPlane Masquerade() => TestPlane.Create(builder => builder.Nat("lan", "wan"));

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Tcp_WholeConnection_IsTranslatedByteExactBothWays(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Masquerade();
        (bool Outwards, TcpFlags Flags, int Bytes)[] segments =
        [
            (true, TcpFlags.Syn, 0), (false, TcpFlags.Syn | TcpFlags.Ack, 0), (true, TcpFlags.Ack, 0), (true, TcpFlags.Ack | TcpFlags.Psh, 333),
            (false, TcpFlags.Ack, 1400), (false, TcpFlags.Ack, 7), (true, TcpFlags.Ack | TcpFlags.Fin, 0), (false, TcpFlags.Ack | TcpFlags.Fin, 1),
        ];
        foreach ((bool outwards, TcpFlags flags, int bytes) in segments)
        {
            if (outwards)
            {
                byte[] sent = plane.SendForOne("lan", net.FromInside(11).Tcp(40000, 443, flags, 77, 5).PayloadOf(bytes).Build(), "wan");
                NatNet.Same(net.AtOutside().Tcp(40000, 443, flags, 77, 5).PayloadOf(bytes).Build(), sent);
            }
            else
            {
                byte[] sent = plane.SendForOne("wan", net.FromOutside().Tcp(443, 40000, flags, 99, 5).PayloadOf(bytes).Build(), "lan");
                NatNet.Same(net.AtInside(11).Tcp(443, 40000, flags, 99, 5).PayloadOf(bytes).Build(), sent);
            }
        }

        NatStatus status = Assert.Single(plane.Engine.ReadNat(), entry => entry.Address == net.Gateway);
        Assert.Equal((1L, (long)segments.Length), (status.Flows, status.Packets));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Udp_EveryPayloadSum_IsTranslatedByteExactBothWays(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Masquerade();
        for (int value = 0; value < 3000; value++)
        {
            byte[] payload = [(byte)(value * 22 >> 8), (byte)(value * 22), (byte)value];
            byte[] there = plane.SendForOne("lan", net.FromInside(11).Udp(5353, 53).Payload(payload).Build(), "wan");
            NatNet.Same(net.AtOutside().Udp(5353, 53).Payload(payload).Build(), there);
            byte[] back = plane.SendForOne("wan", net.FromOutside().Udp(53, 5353).Payload(payload).Build(), "lan");
            NatNet.Same(net.AtInside(11).Udp(53, 5353).Payload(payload).Build(), back);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Echo_TwoHostsOneIdentifier_EachGetsItsOwnReplies(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Masquerade();
        NatNet.Same(net.AtOutside().EchoRequest(7, 1).PayloadOf(56).Build(), plane.SendForOne("lan", net.FromInside(11).EchoRequest(7, 1).PayloadOf(56).Build(), "wan"));
        byte[] second = plane.SendForOne("lan", net.FromInside(12).EchoRequest(7, 1).PayloadOf(56).Build(), "wan");
        ushort identifier = (ushort)((second[^60] << 8) | second[^59]);
        Assert.NotEqual(7, identifier);
        NatNet.Same(net.AtOutside().EchoRequest(identifier, 1).PayloadOf(56).Build(), second);
        for (ushort sequence = 1; sequence < 4; sequence++)
        {
            NatNet.Same(net.AtInside(11).EchoReply(7, sequence).PayloadOf(56).Build(),
                plane.SendForOne("wan", net.FromOutside().EchoReply(7, sequence).PayloadOf(56).Build(), "lan"));
            NatNet.Same(net.AtInside(12).EchoReply(7, sequence).PayloadOf(56).Build(),
                plane.SendForOne("wan", net.FromOutside().EchoReply(identifier, sequence).PayloadOf(56).Build(), "lan"));
        }

        // A reply that nobody has asked for is for the gateway itself.
        plane.SendForDrop("wan", net.FromOutside().EchoReply(9, 1).PayloadOf(56).Build(), DropReason.ConsumedIcmp);
    }

    [Theory]
    [InlineData(4, 40001)]
    [InlineData(4, 40000)]
    [InlineData(4, 123)]
    [InlineData(4, 2)]
    [InlineData(6, 40001)]
    [InlineData(6, 123)]
    public async Task SamePort_OfTwoHosts_TheSecondGetsOneOfItsRangeAndParity(int family, int port)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Masquerade();
        NatNet.Same(net.AtOutside().Udp((ushort)port, 53).Payload("a").Build(), plane.SendForOne("lan", net.FromInside(11).Udp((ushort)port, 53).Payload("a").Build(), "wan"));
        byte[] sent = plane.SendForOne("lan", net.FromInside(12).Udp((ushort)port, 53).Payload("b").Build(), "wan");
        int taken = ReferenceDecoder.Decode(sent).SourcePort;
        Assert.NotEqual(port, taken);
        Assert.Equal((port & 1, port < 1024), (taken & 1, taken < 1024));
        Assert.NotEqual(0, taken);
        NatNet.Same(net.AtOutside().Udp((ushort)taken, 53).Payload("b").Build(), sent);
        NatNet.Same(net.AtInside(12).Udp(53, (ushort)port).Payload("c").Build(), plane.SendForOne("wan", net.FromOutside().Udp(53, (ushort)taken).Payload("c").Build(), "lan"));
        NatNet.Same(net.AtInside(11).Udp(53, (ushort)port).Payload("d").Build(), plane.SendForOne("wan", net.FromOutside().Udp(53, (ushort)port).Payload("d").Build(), "lan"));

        // Towards another port outside, there is no reason to take another.
        NatNet.Same(net.AtOutside().Udp((ushort)port, 54).Payload("e").Build(), plane.SendForOne("lan", net.FromInside(12).Udp((ushort)port, 54).Payload("e").Build(), "wan"));
    }

    /// <summary>Of the low range and even there are 511 ports: all are given out, and never 0, which is none.</summary>
    [Fact]
    public async Task LowEvenPorts_OfManyHosts_AreGivenOutButForZero()
    {
        var net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        var given = new HashSet<int>();
        for (int host = 0; host < 700; host++)
        {
            byte[] frame = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4($"10.1.{1 + (host >> 8)}.{host & 0xFF}", net.Outside.ToString()).Udp(2, 53).Build();
            foreach ((_, byte[] sent) in plane.Send("lan", frame))
            {
                Assert.True(given.Add(ReferenceDecoder.Decode(sent).SourcePort));
            }
        }

        Assert.All(given, port => Assert.True(port is > 0 and < 1024 && port % 2 == 0, $"port {port}"));
        Assert.InRange(given.Count, 480, 511);
    }

    [Fact]
    public async Task Udp_ZeroChecksumOnIpv4_StaysZero()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = Masquerade();
        NatNet.Same(net.AtOutside().Udp(5353, 53, checksum: false).Payload("x").Build(),
            plane.SendForOne("lan", net.FromInside(11).Udp(5353, 53, checksum: false).Payload("x").Build(), "wan"));
        NatNet.Same(net.AtInside(11).Udp(53, 5353, checksum: false).Payload("y").Build(),
            plane.SendForOne("wan", net.FromOutside().Udp(53, 5353, checksum: false).Payload("y").Build(), "lan"));
    }

    [Fact]
    public async Task Pool_OfTwo_IsAnsweredForAndEachHostKeepsItsAddress()
    {
        NatNet net = NatNet.Of(4);
        IpAddress[] pool = [IpAddress.Parse("198.51.100.10"), IpAddress.Parse("198.51.100.11")];
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan", "198.51.100.10", "198.51.100.11", "2001:db8:1::10"));
        foreach (IpAddress address in pool)
        {
            byte[] asked = PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).ArpRequest("198.51.100.2", address.ToString()).Build();
            Assert.Contains(plane.Send("wan", asked), answer => answer.Port == "wan" && ReferenceArp(answer.Frame) == address.ToString());
        }

        var taken = new HashSet<string>();
        foreach (int host in new[] { 11, 12, 13 })
        {
            string[] sources = [.. Enumerable.Range(0, 20).Select(turn =>
                ReferenceDecoder.Decode(plane.SendForOne("lan", net.FromInside(host).Udp((ushort)(2000 + turn), (ushort)(53 + turn)).Build(), "wan")).Source)];
            taken.Add(Assert.Single(sources.Distinct()));
        }

        Assert.All(taken, address => Assert.Contains(address, pool.Select(entry => entry.ToString())));
        byte[] v6 = plane.SendForOne("lan", NatNet.Of(6).FromInside(11).Udp(1, 2).Build(), "wan");
        NatNet.Same(NatNet.Of(6).AtOutside(IpAddress.Parse("2001:db8:1::10")).Udp(1, 2).Build(), v6);
    }

    [Fact]
    public async Task Rules_FirstThatCovers_DecidesAndOthersPassAsTheyAre()
    {
        NatNet v4 = NatNet.Of(4), v6 = NatNet.Of(6);
        await using TestPlane plane = TestPlane.Create(builder => builder
            .Nat(new NatSpec { Inside = "lan", Outside = "wan", From = IpPrefix.Parse("10.1.0.11/32"), Pool = [IpAddress.Parse("198.51.100.10")] })
            .Nat(new NatSpec { Inside = "lan", Outside = "wan", From = IpPrefix.Parse("10.1.0.8/29"), Pool = [IpAddress.Parse("198.51.100.11")] }));
        Assert.Equal("198.51.100.10", ReferenceDecoder.Decode(plane.SendForOne("lan", v4.FromInside(11).Udp(1, 2).Build(), "wan")).Source);
        Assert.Equal("198.51.100.11", ReferenceDecoder.Decode(plane.SendForOne("lan", v4.FromInside(12).Udp(1, 2).Build(), "wan")).Source);
        NatNet.Same(v6.AtOutside(v6.Inside(13)).Udp(1, 2).Build(), plane.SendForOne("lan", v6.FromInside(13).Udp(1, 2).Build(), "wan"));

        // What comes from outside is no business of a rule from inside: it is routed as it is.
        NatNet.Same(PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(v4.Outside, v4.Inside(13), 63).Udp(3, 4).Build(),
            plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(v4.Outside, v4.Inside(13)).Udp(3, 4).Build(), "lan"));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task TtlExceeded_OfARouterOutside_ReachesTheHostWithItsOwnPacket(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Masquerade();
        foreach (bool echo in new[] { false, true })
        {
            PacketBuilder From(int host, byte ttl) => echo ? net.FromInside(host, ttl).EchoRequest(7, 1) : net.FromInside(host, ttl).Udp(7, 33434);

            // Two hosts of one port or identifier, so that the second one's is another outside.
            plane.SendForOne("lan", From(11, 64).PayloadOf(32).Build(), "wan");
            byte[] outside = plane.SendForOne("lan", From(12, 64).PayloadOf(32).Build(), "wan");
            string router = family == 4 ? "198.51.100.7" : "2001:db8:1::7";
            byte[] error = Exceeded(PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(IpAddress.Parse(router), net.Gateway), family, outside[14..]);
            byte[] expected = Exceeded(PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(IpAddress.Parse(router), net.Inside(12), 63), family,
                From(12, 63).PayloadOf(32).Build()[14..]);
            NatNet.Same(expected, plane.SendForOne("wan", error, "lan"));
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task PortUnreachable_OfTheHost_LeavesFromTheGateway(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = Masquerade();
        plane.SendForOne("lan", net.FromInside(11).Udp(7, 53).Build(), "wan");
        byte[] answer = net.FromOutside().Udp(53, 7).PayloadOf(20).Build();
        byte[] atHost = plane.SendForOne("wan", answer, "lan");
        byte[] asSent = net.FromOutside(ttl: 63).Udp(53, 7).PayloadOf(20).Build();
        byte[] sent = plane.SendForOne("lan", Unreachable(net.FromInside(11), family, atHost[14..]), "wan");
        NatNet.Same(Unreachable(net.AtOutside(), family, asSent[14..]), sent);

        // A router inside must not show its own address.
        PacketBuilder router = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(net.Inside(13), net.Outside);
        NatNet.Same(Unreachable(net.AtOutside(), family, asSent[14..]), plane.SendForOne("lan", Unreachable(router, family, atHost[14..]), "wan"));
    }

    [Fact]
    public async Task WhatCannotBeTranslated_IsNotLetOut()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = Masquerade();
        Assert.Empty(plane.SendForDrop("lan", net.FromInside(11).Carrying(47).PayloadOf(40).Build(), DropReason.NatUnsupported));
        Assert.Empty(plane.SendForDrop("lan", net.FromInside(11).EchoReply(1, 1).Build(), DropReason.NatUnsupported));

        // The gateway's own packets have its own address already.
        (string port, byte[] reply) = Assert.Single(plane.Send("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac)
            .Ip(net.Inside(11), IpAddress.Parse("10.1.0.1")).EchoRequest(1, 1).Build()));
        Assert.Equal(("lan", "10.1.0.1"), (port, ReferenceDecoder.Decode(reply).Source));
    }

    [Fact]
    public async Task Update_WithoutTheAddress_EndsItsFlowsAndNoOthers()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan", "198.51.100.10", "198.51.100.11"));
        string Source(int host, ushort port) => ReferenceDecoder.Decode(plane.SendForOne("lan", net.FromInside(host).Udp(port, 53).Build(), "wan")).Source;
        string[] before = [.. Enumerable.Range(11, 3).Select(host => Source(host, 7))];
        string gone = before[0], kept = gone == "198.51.100.10" ? "198.51.100.11" : "198.51.100.10";
        Task update = plane.Engine.UpdateAsync(spec => spec with { Nat = [spec.Nat[0] with { Pool = [IpAddress.Parse(kept)] }] });
        plane.Run();
        await update;
        Assert.Equal([kept, kept, kept], Enumerable.Range(11, 3).Select(host => Source(host, 7)));

        // The old binding is gone for good, also from outside.
        Assert.DoesNotContain(plane.Send("wan", net.FromOutside(IpAddress.Parse(gone)).Udp(53, 7).Build()), sent => sent.Port == "lan");
    }

    [Fact]
    public async Task Timeouts_OfTheRule_AreThoseOfItsFlows()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat(new NatSpec
        {
            Inside = "lan",
            Outside = "wan",
            Timeouts = new NatTimeouts { Udp = TimeSpan.FromSeconds(3), Icmp = TimeSpan.FromDays(1) },
        }));
        plane.SendForOne("lan", net.FromInside(11).Udp(7, 53).Build(), "wan");
        plane.SendForOne("lan", net.FromInside(11).EchoRequest(7, 1).Build(), "wan");
        plane.Wait(TimeSpan.FromSeconds(2));
        plane.SendForOne("wan", net.FromOutside().Udp(53, 7).Build(), "lan");
        plane.Wait(TimeSpan.FromSeconds(70));
        FlowStatus left = Assert.Single(plane.Engine.ReadFlows(), flow => flow.IsForward);
        Assert.Equal((IpProtocols.Icmp, "icmp_query"), (left.Protocol, left.State));
        plane.SendForDrop("wan", net.FromOutside().Udp(53, 7).Build(), DropReason.LocalUnreachable);
    }

    [Fact]
    public async Task Explain_FirstAndLaterPackets_SayWhatTheSourceBecomes()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = Masquerade();
        byte[] frame = net.FromInside(11).Udp(7, 53).Build();
        Explanation first = plane.Engine.Explain(frame, "lan");
        Assert.Contains(first.Steps, step => step.Stage == "nat" && step.Outcome == "translated" && step.Detail.Contains("198.51.100.1 port 7", StringComparison.Ordinal));
        Assert.Empty(plane.Engine.ReadFlows());
        plane.SendForOne("lan", frame, "wan");
        Explanation later = plane.Engine.Explain(net.FromOutside().Udp(53, 7).Build(), "wan");
        Assert.Contains(later.Steps, step => step.Stage == "flow" && step.Detail.Contains("inwards", StringComparison.Ordinal));
    }

    private static byte[] Exceeded(PacketBuilder packet, int family, byte[] quoted) => family == 4
        ? packet.Icmpv4(Icmpv4Fields.TimeExceeded()).Payload(quoted).Build()
        : packet.Icmpv6(Icmpv6Fields.TimeExceeded()).Payload(quoted).Build();

    private static byte[] Unreachable(PacketBuilder packet, int family, byte[] quoted) => family == 4
        ? packet.Icmpv4(Icmpv4Fields.Unreachable(3)).Payload(quoted).Build()
        : packet.Icmpv6(Icmpv6Fields.Unreachable(4)).Payload(quoted).Build();

    /// <summary>Whose hardware address an ARP reply tells.</summary>
    private static string ReferenceArp(byte[] frame) => string.Join('.', frame[28..32]);
}
