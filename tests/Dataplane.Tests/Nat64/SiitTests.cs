using System.Buffers.Binary;
using Dataplane.Filtering;
using Dataplane.Nat64;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Nat64.SiitNet;

namespace Dataplane.Tests.Nat64;

/// <summary>Stateless translation between the families, packet in and packet out (RFC 7915, RFC 7757).</summary>
public sealed class SiitTests
{
    private static readonly IpAddress s_far = IpAddress.Parse("203.0.113.5"), s_outside = IpAddress.Parse("2001:db8:c::b");

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task AnyPacket_ToAndFromAServer_IsWhatTheReferenceMakesOfIt(int workers)
    {
        await using TestPlane plane = Create(workers: workers);
        var packets = Gen.Choose(0, int.MaxValue).Select(seed => new Random(seed)).ToArbitrary();
        Prop.ForAll(packets, random =>
        {
            int host = random.Next(11, 14), port = random.Next(1, 65536);
            byte ttl = (byte)random.Next(2, 256), tos = (byte)random.Next(256);
            ReferenceTranslator reference = Translator(V6(host), V4(host), port);
            byte[] there = Add(FromClient(host, ttl, tos, dontFragment: random.Next(2) == 0), random, 80, port, isRequest: true).Build();
            Nat64Net.Same(reference.ToV6(there[14..]), plane.SendForOne("wan", there, "lan")[14..]);
            PacketBuilder from = FromServer(host, ttl, tos);
            byte[] back = Add(random.Next(3) == 0 ? from.HopByHop(new byte[6]).DestinationOptions(new byte[14]) : from, random, port, 80, isRequest: false).Build();
            byte[] arrived = plane.SendForOne("lan", back, "wan");
            Nat64Net.Same(reference.ToV4(back[14..], Nat64Net.IdentificationOf(arrived)), arrived[14..]);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
        Assert.Equal((0, true), (plane.Engine.ReadFlows(10).Count, plane.Engine.ReadAccounting().IsBalanced));
    }

    /// <summary>464XLAT without its middle, RFC 7756: what one gateway makes IPv6 the other makes IPv4 again, the same packet but for its hops.</summary>
    [Fact]
    public async Task AnyPacket_ThereAndBack_IsTheSame()
    {
        await using TestPlane clat = Create(Clat), border = Create(new SiitSpec { Prefix = IpPrefix.Parse(Prefix), Mappings = [Mapping("10.1.0.0/24", "2001:db8:c::/120", SiitHosts.V6)] },
            more: builder => builder.Route("0.0.0.0/0", "198.51.100.2").Route("2001:db8:c::/64", "2001:db8:2::11"));
        var packets = Gen.Choose(0, int.MaxValue).Select(seed => new Random(seed)).ToArbitrary();
        Prop.ForAll(packets, random =>
        {
            int port = random.Next(1, 65536);
            byte ttl = (byte)random.Next(3, 256), tos = (byte)random.Next(256);
            PacketBuilder packet = Add(PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", s_far.ToString(), ttl, tos, 0x77), random, port, 80, isRequest: true);
            IReadOnlyList<byte[]> pieces = random.Next(3) > 0 ? [packet.Build()] : packet.BuildFragments(8 * random.Next(20, 60), 0x77);
            var arrived = new List<byte[]>();
            foreach (byte[] piece in pieces)
            {
                foreach (byte[] between in clat.Send("lan", piece).Select(frame => frame.Frame))
                {
                    TestPlane.ServerMac.Write(between.AsSpan(6));
                    TestPlane.LanMac.Write(between);
                    arrived.AddRange(border.Send("lan", between).Select(frame => frame.Frame));
                }
            }

            Assert.Equal(pieces.Select(piece => Hops(piece, pieces.Count == 1)).Order(), arrived.Select(piece => Hops(piece, pieces.Count == 1)).Order());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

        // Hops and header checksum differ; what may be fragmented gets a number anew.
        static string Hops(byte[] frame, bool isWhole)
        {
            byte[] packet = frame[14..];
            packet.AsSpan(8, 1).Clear();
            packet.AsSpan(10, 2).Clear();
            if (isWhole)
            {
                packet.AsSpan(4, 4).Clear();
            }

            return Convert.ToHexString(packet);
        }
    }

    [Fact]
    public async Task HostOfIpv4_BehindIpv6_ReachesIpv4AndIsReached()
    {
        await using TestPlane plane = Create(Clat);
        ReferenceTranslator reference = Translator(s_outside, IpAddress.Parse("10.1.0.11"), 4000);
        byte[] sent = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", s_far.ToString(), dontFragment: true).Udp(4000, 53).PayloadOf(99).Build();
        byte[] arrived = plane.SendForOne("lan", sent, "wan");
        Nat64Net.Same(reference.ToV6(sent[14..]), arrived[14..]);
        byte[] back = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6(Behind(s_far).ToString(), s_outside.ToString()).Udp(53, 4000).PayloadOf(99).Build();
        arrived = plane.SendForOne("wan", back, "lan");
        Nat64Net.Same(reference.ToV4(back[14..], Nat64Net.IdentificationOf(arrived)), arrived[14..]);

        // The gateway itself, and what an IPv4 route leads to, is reached as it is.
        byte[] reply = plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", "10.1.0.1").EchoRequest(1, 1).Build(), "lan");
        Assert.Equal(("10.1.0.1", "10.1.0.11"), (ReferenceDecoder.Decode(reply).Source, ReferenceDecoder.Decode(reply).Destination));
        byte[] native = plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", "198.51.100.2").Udp(4000, 53).Build(), "wan");
        Assert.Equal("198.51.100.2", ReferenceDecoder.Decode(native).Destination);
    }

    [Fact]
    public async Task OtherPackets_AreForwardedAsTheyCome()
    {
        await using TestPlane plane = Create();
        byte[] native = plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", V6(11).ToString()).Udp(1, 2).Build(), "lan");
        Assert.Equal(V6(11).ToString(), ReferenceDecoder.Decode(native).Destination);
        native = plane.SendForOne("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(Client.ToString(), "10.1.0.11").Udp(1, 2).Build(), "lan");
        Assert.Equal("10.1.0.11", ReferenceDecoder.Decode(native).Destination);

        // Not from a mapped server: the prefix is for IPv6 to find.
        native = plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6("2001:db8:2::99", Behind(Client).ToString()).Udp(1, 2).Build(), "wan");
        Assert.Equal(Behind(Client).ToString(), ReferenceDecoder.Decode(native).Destination);
    }

    [Fact]
    public async Task ServerToServer_ByTheirIpv4Addresses_TurnsBackAndAnswersDoToo()
    {
        // RFC 7757 4.2.1: the source stays behind the prefix, so that the answer comes this way.
        await using TestPlane plane = Create();
        byte[] arrived = plane.SendForOne("lan", FromServer(11, client: V4(12)).Udp(4000, 53).Payload("hairpin").Build(), "lan");
        Nat64Net.Same(AtServer(12, client: V4(11)).Udp(4000, 53).Payload("hairpin").Build(), arrived);
        arrived = plane.SendForOne("lan", FromServer(12, client: V4(11)).Udp(53, 4000).Payload("answer").Build(), "lan");
        Nat64Net.Same(AtServer(11, client: V4(12)).Udp(53, 4000).Payload("answer").Build(), arrived);
    }

    [Fact]
    public async Task WhatHasNoCounterpart_IsDroppedByName()
    {
        await using TestPlane plane = Create(DataCentre with { Prefix = IpPrefix.Parse("64:ff9b::/96") });

        // RFC 6052 3.1: no private address behind the well-known prefix. RFC 7915 4.2: no ICMP but echo and errors; 4.1: no source route.
        plane.SendForDrop("wan", FromClient(client: IpAddress.Parse("192.168.1.1")).Udp(1, 2).Build(), DropReason.Nat64Address);
        plane.SendForDrop("wan", FromClient(client: IpAddress.Parse("203.1.113.7")).Icmpv4(new Icmpv4Fields { Type = 13 }).PayloadOf(12).Build(), DropReason.NatUnsupported);
        byte[] routed = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac)
            .Ipv4(new Ipv4Fields { Source = IpAddress.Parse("203.1.113.7"), Destination = V4(11), Ttl = 64 }, [131, 7, 4, 192, 0, 2, 9, 0]).Udp(1, 2).Build();
        plane.SendForDrop("wan", routed, DropReason.NatUnsupported);
        (string _, byte[] expired) = Assert.Single(plane.SendForDrop("wan", FromClient(ttl: 1).Udp(1, 2).Build(), DropReason.TtlExpired));
        Assert.Equal((11, Client.ToString()), (expired[34], ReferenceDecoder.Decode(expired).Destination));
        plane.SendForDrop("wan", FromClient(ttl: 1, client: IpAddress.Parse("203.1.113.7")).Udp(1, 2).Build(), DropReason.TtlExpired);
    }

    [Fact]
    public async Task OtherTransports_ArePassedOnAsTheyAre()
    {
        // RFC 7915 4.5: "translators MUST forward all transport protocols".
        await using TestPlane plane = Create();
        byte[] udp = FromClient().Udp(0x1234, 0x5678).Payload("and a payload").Build(), gre = [.. udp];
        (gre[23], gre[24], gre[25]) = (47, 0, 0);
        BinaryPrimitives.WriteUInt16BigEndian(gre.AsSpan(24), InternetChecksum.Compute(gre.AsSpan(14, 20)));
        byte[] arrived = plane.SendForOne("wan", gre, "lan");
        Assert.Equal(47, arrived[20]);
        Nat64Net.Same(gre[34..], arrived[54..]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task UdpWithoutChecksum_GetsOneOrIsDroppedAsConfigured(bool drops)
    {
        // RFC 7915 4.5, whole and in fragments.
        await using TestPlane plane = Create(DataCentre with { DropUdpWithoutChecksum = drops });
        byte[] whole = FromClient().Udp(1, 2, checksum: false).PayloadOf(33).Build();
        IReadOnlyList<byte[]> pieces = FromClient(identification: 9, dontFragment: false).Udp(1, 2, checksum: false).PayloadOf(2001).BuildFragments(1200, 9);
        if (drops)
        {
            plane.SendForDrop("wan", whole, DropReason.NatUnsupported);
            plane.SendForDrop("wan", pieces[0], DropReason.NatUnsupported);
            return;
        }

        Nat64Net.Same(AtServer().Udp(1, 2).PayloadOf(33).Build(), plane.SendForOne("wan", whole, "lan"));
        Assert.Empty(plane.Send("wan", pieces[1]));
        Assert.Equal([.. AtServer().Udp(1, 2).PayloadOf(2001).BuildFragments(1200, 9).Select(Convert.ToHexString)], Hex(plane.Send("wan", pieces[0])));
    }

    [Fact]
    public async Task Fragments_OfTcpAndUdpGoOneByOne_ThoseOfEchoOnceAllAreThere()
    {
        await using TestPlane plane = Create();
        IReadOnlyList<byte[]> sent = FromClient(identification: 9, dontFragment: false).Tcp(1, 2, TcpFlags.Ack, 3, 4).PayloadOf(2001).BuildFragments(1200, 9);
        IReadOnlyList<byte[]> expected = AtServer().Tcp(1, 2, TcpFlags.Ack, 3, 4).PayloadOf(2001).BuildFragments(1200, 9);
        Nat64Net.Same(expected[1], plane.SendForOne("wan", sent[1], "lan"));
        Nat64Net.Same(expected[0], plane.SendForOne("wan", sent[0], "lan"));
        sent = FromServer().EchoReply(5, 6).PayloadOf(2001).BuildFragments(1200, 0xABCD_1234);
        Assert.Empty(plane.Send("lan", sent[1]));
        Assert.Equal([.. AtClient(0x1234).EchoReply(5, 6).PayloadOf(2001).BuildFragments(1200, 0x1234).Select(Convert.ToHexString)], Hex(plane.Send("lan", sent[0])));
    }

    [Theory]
    [InlineData(1260, 1)]
    [InlineData(1261, 2)]
    [InlineData(1500, 2)]
    public async Task Ipv4ThatMayBeFragmented_FitsEveryIpv6Link(int length, int pieces)
    {
        // RFC 7915 4: with a fragment header, in packets of at most 1,280 bytes.
        await using TestPlane plane = Create();
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", FromClient(identification: 0x4321, dontFragment: false).Udp(1, 2).PayloadOf(length - 28).Build());
        Assert.Equal(pieces, sent.Count);
        PacketBuilder expected = AtServer().Udp(1, 2).PayloadOf(length - 28);
        Assert.Equal((pieces == 1 ? [expected.Build()] : expected.BuildFragments(1232, 0x4321)).Select(Convert.ToHexString).Order(), sent.Select(frame => Convert.ToHexString(frame.Frame)).Order());
    }

    [Theory]
    [InlineData(1480, true)]
    [InlineData(1481, false)]
    public async Task Ipv4NotToBeFragmented_TooLongAsIpv6_IsTold20BytesLess(int length, bool fits)
    {
        await using TestPlane plane = Create();
        byte[] packet = FromClient().Udp(1, 2).PayloadOf(length - 28).Build();
        if (fits)
        {
            Nat64Net.Same(AtServer().Udp(1, 2).PayloadOf(length - 28).Build(), plane.SendForOne("wan", packet, "lan"));
            return;
        }

        (string port, byte[] error) = Assert.Single(plane.SendForDrop("wan", packet, DropReason.PacketTooBig));
        ReferencePacket seen = ReferenceDecoder.Decode(error);
        Assert.Equal(("wan", 3, 4, 1480, Client.ToString(), true), (port, error[34], error[35], BinaryPrimitives.ReadUInt16BigEndian(error.AsSpan(40)), seen.Destination, seen.TransportChecksumRight == true));
        Nat64Net.Same(V4Addresses(packet), V4Addresses(error[28..]));
    }

    [Fact]
    public async Task Ipv6_TooLongAsIpv4_IsTold20BytesMore()
    {
        await using TestPlane plane = Create(wanMtu: 1400);
        plane.SendForOne("lan", FromServer().Udp(1, 2).PayloadOf(1420 - 48).Build(), "wan");
        (string port, byte[] error) = Assert.Single(plane.SendForDrop("lan", FromServer().Udp(1, 2).PayloadOf(1421 - 48).Build(), DropReason.PacketTooBig));
        ReferencePacket seen = ReferenceDecoder.Decode(error);
        Assert.Equal(("lan", 2, 1420u, V6(11).ToString(), true), (port, error[54], BinaryPrimitives.ReadUInt32BigEndian(error.AsSpan(58)), seen.Destination, seen.TransportChecksumRight == true));
        Assert.Equal((V6(11), Behind(Client)), (IpAddress.ReadV6(error.AsSpan(62 + 8)), IpAddress.ReadV6(error.AsSpan(62 + 24))));
    }

    [Fact]
    public async Task Errors_OfRoutersOnBothSides_AreTranslatedWithWhatTheyQuote()
    {
        // RFC 7915 4.3 and 5.3; of an IPv6 router that has no IPv4 address RFC 6791.
        await using TestPlane plane = Create();
        var router = IpAddress.Parse("203.0.113.99");
        byte[] sent = plane.SendForOne("lan", FromServer().Udp(4000, 53).Payload("quoted").Build(), "wan");
        byte[] error = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(router.ToString(), V4(11).ToString()).Icmpv4(new Icmpv4Fields { Type = 11 }).Payload(sent.AsSpan(14)).Build();
        ReferenceTranslator reference = Translator(V6(11), V4(11), 4000);
        Nat64Net.Same(reference.ToV6(error[14..], error: (3, 0, 0)), plane.SendForOne("wan", error, "lan")[14..]);

        sent = plane.SendForOne("wan", FromClient().Udp(53, 4000).Payload("quoted").Build(), "lan");
        error = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv6("2001:db8:2::99", Behind(Client).ToString())
            .Icmpv6(new Icmpv6Fields { Type = 1, Code = 4 }).Payload(sent.AsSpan(14)).Build();
        byte[] arrived = plane.SendForOne("lan", error, "wan");
        byte[] expected = reference.ToV4(error[14..], Nat64Net.IdentificationOf(arrived), error: (3, 3, 0));
        Router.Write(expected.AsSpan(12));
        BinaryPrimitives.WriteUInt16BigEndian(expected.AsSpan(10), 0);
        BinaryPrimitives.WriteUInt16BigEndian(expected.AsSpan(10), InternetChecksum.Compute(expected.AsSpan(0, 20)));
        Nat64Net.Same(expected, arrived[14..]);

        // Damaged on its way: not made good by a checksum of ours.
        error[^1] ^= 1;
        plane.SendForDrop("lan", error, DropReason.IcmpInvalid);
    }

    [Fact]
    public async Task FilterRules_SeeEachPacketAsItComes()
    {
        await using TestPlane plane = Create(workers: 3, more: builder => builder.Filter(filter => filter
            .Rule(new FilterRuleSpec { Name = "there", Action = FilterAction.Allow, To = IpPrefix.Parse("192.0.2.0/24"), Protocol = IpProtocols.Tcp, ToPort = new PortRange(80, 80) })
            .Rule(new FilterRuleSpec { Name = "back", Action = FilterAction.Allow, To = IpPrefix.Parse(Prefix), Protocol = IpProtocols.Tcp, FromPort = new PortRange(80, 80) }).DefaultDeny()));
        plane.SendForOne("wan", FromClient().Tcp(2000, 80, TcpFlags.Syn, 1, 0).Build(), "lan");
        plane.SendForOne("lan", FromServer().Tcp(80, 2000, TcpFlags.Syn | TcpFlags.Ack, 9, 2).Build(), "wan");
        plane.SendForDrop("wan", FromClient().Tcp(2000, 81, TcpFlags.Syn, 1, 0).Build(), DropReason.FilterDefault);
        plane.SendForDrop("lan", FromServer().Tcp(81, 2000, TcpFlags.Syn, 1, 0).Build(), DropReason.FilterDefault);
    }

    [Fact]
    public async Task Update_ChangesMappingsAtOnce()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("wan", FromClient().Udp(1, 2).Build(), "lan");
        await plane.Engine.UpdateAsync(spec => spec with { Siit = DataCentre with { Mappings = [Mapping("192.0.2.11/32", "2001:db8:2::13/128", SiitHosts.V6)] } });
        Nat64Net.Same(AtServer(13).Udp(1, 2).Build(), plane.SendForOne("wan", FromClient().Udp(1, 2).Build(), "lan"));
        await plane.Engine.UpdateAsync(spec => spec with { Siit = null });
        plane.SendForDrop("wan", FromClient().Udp(1, 2).Build(), DropReason.NoRoute);
    }

    private static string[] Hex(IReadOnlyList<(string Port, byte[] Frame)> sent) => [.. sent.Select(frame => Convert.ToHexString(frame.Frame))];

    private static byte[] V4Addresses(byte[] frame) => frame[26..34];

    private static PacketBuilder Add(PacketBuilder builder, Random random, int source, int destination, bool isRequest)
    {
        byte[] payload = new byte[random.Next(0, 1200)];
        random.NextBytes(payload);
        return (random.Next(3) switch
        {
            0 => builder.Tcp((ushort)source, (ushort)destination, isRequest ? TcpFlags.Syn : TcpFlags.Ack, 1000, 2000),
            1 => builder.Udp((ushort)source, (ushort)destination),
            _ => isRequest ? builder.EchoRequest((ushort)(isRequest && source == 80 ? destination : source), 3) : builder.EchoReply((ushort)source, 3),
        }).Payload(payload);
    }
}
