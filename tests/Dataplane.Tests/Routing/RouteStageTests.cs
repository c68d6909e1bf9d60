using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Tests.Pipeline;

namespace Dataplane.Tests.Routing;

/// <summary>Packets in, packets out: routing, refusals, and the ICMP errors that belong to them.</summary>
public sealed class RouteStageTests
{
    private static PacketBuilder FromClient(string source, string destination, byte ttl = 64) => source.Contains(':', StringComparison.Ordinal)
        ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6(source, destination, ttl)
        : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(source, destination, ttl);

    [Theory]
    [InlineData("198.51.100.2", "10.1.0.11")]
    [InlineData("2001:db8:1::2", "2001:db8:2::11")]
    public async Task Forward_ConnectedDestination_TakesTtlDownAndRewritesLinkHeader(string source, string destination)
    {
        await using TestPlane plane = TestPlane.Create();
        byte[] sent = plane.SendForOne("wan", FromClient(source, destination).Udp(1000, 2000).Payload("hello").Build(), "lan");
        PacketBuilder expected = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac);
        expected = source.Contains(':', StringComparison.Ordinal) ? expected.Ipv6(source, destination, 63) : expected.Ipv4(source, destination, 63);
        Assert.Equal(Convert.ToHexString(expected.Udp(1000, 2000).Payload("hello").Build()), Convert.ToHexString(sent));
    }

    [Theory]
    [InlineData("198.51.100.2", "10.1.0.11", "198.51.100.1")]
    [InlineData("2001:db8:1::2", "2001:db8:2::11", "2001:db8:1::1")]
    public async Task Forward_TtlOne_AnswersTimeExceededFromTheReceivingInterface(string source, string destination, string router)
    {
        await using TestPlane plane = TestPlane.Create();
        byte[] packet = FromClient(source, destination, ttl: 1).Udp(1000, 33434).Payload("probe").Build();
        (string port, byte[] frame) = Assert.Single(plane.SendForDrop("wan", packet, DropReason.TtlExpired));
        Assert.Equal("wan", port);
        bool v6 = source.Contains(':', StringComparison.Ordinal);
        ParsedIcmp error = ParsedIcmp.Read(frame);
        Assert.Equal((router, source, v6 ? 3 : 11, 0), (error.Source, error.Destination, error.Type, error.Code));
        Assert.True(error.ChecksumHolds);
        Assert.Equal(packet[14..], error.Quoted);
    }

    [Fact]
    public async Task Forward_NoRoute_AnswersNetUnreachable()
    {
        await using TestPlane plane = TestPlane.Create();
        (_, byte[] v4) = Assert.Single(plane.SendForDrop("wan", FromClient("198.51.100.2", "192.0.2.1").Udp(1, 2).Build(), DropReason.NoRoute));
        Assert.Equal((3, 0), (ParsedIcmp.Read(v4).Type, ParsedIcmp.Read(v4).Code));
        (_, byte[] v6) = Assert.Single(plane.SendForDrop("wan", FromClient("2001:db8:1::2", "2001:db8:ffff::1").Udp(1, 2).Build(), DropReason.NoRoute));
        Assert.Equal((1, 0), (ParsedIcmp.Read(v6).Type, ParsedIcmp.Read(v6).Code));
    }

    [Theory]
    [InlineData(RouteReject.Blackhole, DropReason.RouteBlackhole, -1)]
    [InlineData(RouteReject.Unreachable, DropReason.RouteUnreachable, 1)]
    [InlineData(RouteReject.Prohibited, DropReason.RouteProhibited, 13)]
    public async Task Forward_RejectRoute_DropsAndAnswersAsItSays(RouteReject reject, DropReason reason, int code)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.RouteReject("203.0.113.0/24", reject));
        IReadOnlyList<(string, byte[] Frame)> sent = plane.SendForDrop("wan", FromClient("198.51.100.2", "203.0.113.9").Udp(1, 2).Build(), reason);
        if (code < 0)
        {
            Assert.Empty(sent);
        }
        else
        {
            Assert.Equal((3, code), (ParsedIcmp.Read(Assert.Single(sent).Frame).Type, ParsedIcmp.Read(sent[0].Frame).Code));
        }
    }

    [Fact]
    public async Task Forward_TooBigWithDontFragment_AnswersWithTheMtu()
    {
        await using TestPlane plane = TestPlane.Create(lanMtu: 1400);
        byte[] big = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11", dontFragment: true).Udp(1, 2).PayloadOf(1450).Build();
        (_, byte[] frame) = Assert.Single(plane.SendForDrop("wan", big, DropReason.PacketTooBig));
        ParsedIcmp error = ParsedIcmp.Read(frame);
        Assert.Equal((3, 4, 1400u), (error.Type, error.Code, error.Rest));
        Assert.Equal(576, frame.Length - 14);

        byte[] big6 = FromClient("2001:db8:1::2", "2001:db8:2::11").Udp(1, 2).PayloadOf(1430).Build();
        (_, byte[] frame6) = Assert.Single(plane.SendForDrop("wan", big6, DropReason.PacketTooBig));
        Assert.Equal((2, 0, 1400u), (ParsedIcmp.Read(frame6).Type, ParsedIcmp.Read(frame6).Code, ParsedIcmp.Read(frame6).Rest));
        Assert.True(ParsedIcmp.Read(frame6).ChecksumHolds);
        Assert.Equal(1280, frame6.Length - 14);
    }

    /// <summary>RFC 8200 5: a sender sends nothing smaller than 1,280 bytes, whatever it is told; so it is told no less.</summary>
    [Fact]
    public async Task Forward_TooBigForALinkBelowTheLeastMtuOfIpv6_AnswersWithThatLeast()
    {
        await using TestPlane plane = TestPlane.Create(lanMtu: 1200);
        (_, byte[] frame) = Assert.Single(plane.SendForDrop("wan", FromClient("2001:db8:1::2", "2001:db8:2::11").Udp(1, 2).PayloadOf(1300).Build(), DropReason.PacketTooBig));
        Assert.Equal(1280u, ParsedIcmp.Read(frame).Rest);
    }

    /// <summary>RFC 791 3.1: options whose copied bit is set are in every fragment, all others in the first alone.</summary>
    [Fact]
    public async Task Forward_TooBigWithOptions_LaterFragmentsHaveThoseThatAreCopied()
    {
        await using TestPlane plane = TestPlane.Create(lanMtu: 600);
        byte[] once = [7, 7, 4, 0, 0, 0, 0], copied = [0x94, 4, 0, 0];
        var fields = new Ipv4Fields { Source = IpAddress.Parse("198.51.100.2"), Destination = IpAddress.Parse("10.1.0.11"), Ttl = 64 };
        byte[] big = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4(fields, [.. once, 1, .. copied]).Udp(1, 2).PayloadOf(1400).Build();
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", big);
        Assert.Equal(3, sent.Count);
        Assert.Equal([32, 24, 24], sent.Select(frame => (frame.Frame[14] & 15) * 4).OrderDescending());
        Assert.All(sent, frame => Assert.True(frame.Frame[14] == 0x48
            ? frame.Frame.AsSpan(34, 12).SequenceEqual((byte[])[.. once, 1, .. copied])
            : frame.Frame.AsSpan(34, 4).SequenceEqual(copied)));
        Assert.All(sent, frame => Assert.True(InternetChecksum.Verify(frame.Frame.AsSpan(14, (frame.Frame[14] & 15) * 4))));
    }

    [Fact]
    public async Task Forward_TooBigWithoutDontFragment_IsFragmentedAndReassemblesToTheSame()
    {
        await using TestPlane plane = TestPlane.Create(lanMtu: 600);
        byte[] big = FromClient("198.51.100.2", "10.1.0.11").Udp(1, 2).PayloadOf(1400).Build();
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("wan", big);
        Assert.Equal(3, sent.Count);
        byte[] data = new byte[big.Length - 34];
        foreach ((string port, byte[] frame) in sent)
        {
            Assert.Equal("lan", port);
            Assert.True(frame.Length - 14 <= 600);
            Assert.True(InternetChecksum.Verify(frame.AsSpan(14, 20)));
            int offset = ((frame[20] & 0x1F) << 8 | frame[21]) * 8;
            bool more = (frame[20] & 0x20) != 0;
            Assert.Equal(offset + frame.Length - 34 < data.Length, more);
            frame.AsSpan(34).CopyTo(data.AsSpan(offset));
        }

        Assert.Equal(big[34..], data);
    }

    [Theory]
    [InlineData("127.0.0.1", "10.1.0.11", DropReason.MartianSource)]
    [InlineData("0.0.0.0", "10.1.0.11", DropReason.MartianSource)]
    [InlineData("224.0.0.9", "10.1.0.11", DropReason.MartianSource)]
    [InlineData("240.0.0.1", "10.1.0.11", DropReason.MartianSource)]
    [InlineData("255.255.255.255", "10.1.0.11", DropReason.MartianSource)]
    [InlineData("198.51.100.2", "127.0.0.1", DropReason.MartianDestination)]
    [InlineData("198.51.100.2", "0.0.0.0", DropReason.MartianDestination)]
    [InlineData("198.51.100.2", "250.0.0.1", DropReason.MartianDestination)]
    [InlineData("198.51.100.2", "255.255.255.255", DropReason.Broadcast)]
    [InlineData("198.51.100.2", "10.1.0.255", DropReason.Broadcast)]
    [InlineData("198.51.100.2", "10.1.0.0", DropReason.Broadcast)]
    [InlineData("198.51.100.2", "239.1.1.1", DropReason.Multicast)]
    [InlineData("198.51.100.1", "10.1.0.11", DropReason.OwnSource)]
    [InlineData("10.1.0.1", "10.1.0.11", DropReason.OwnSource)]
    [InlineData("169.254.1.1", "10.1.0.11", DropReason.MartianSource)]
    [InlineData("::1", "2001:db8:2::11", DropReason.MartianSource)]
    [InlineData("::", "2001:db8:2::11", DropReason.MartianSource)]
    [InlineData("ff02::1", "2001:db8:2::11", DropReason.MartianSource)]
    [InlineData("::ffff:198.51.100.2", "2001:db8:2::11", DropReason.MartianSource)]
    [InlineData("2001:db8:1::2", "::1", DropReason.MartianDestination)]
    [InlineData("2001:db8:1::2", "ff05::2", DropReason.Multicast)]
    [InlineData("2001:db8:1::1", "2001:db8:2::11", DropReason.OwnSource)]
    [InlineData("fe80::2", "2001:db8:2::11", DropReason.MartianSource)]
    public async Task Forward_AddressesThatMustNotPass_AreDroppedSilently(string source, string destination, DropReason reason)
    {
        await using TestPlane plane = TestPlane.Create();
        Assert.Empty(plane.SendForDrop("wan", FromClient(source, destination).Udp(1, 2).Build(), reason));
    }

    [Theory]
    [InlineData("198.51.100.2", "198.51.100.1")]
    [InlineData("198.51.100.2", "10.1.0.1")]
    [InlineData("2001:db8:1::2", "2001:db8:1::1")]
    [InlineData("2001:db8:1::2", "2001:db8:2::1")]
    public async Task Echo_ToAnOwnAddress_IsAnswered(string client, string own)
    {
        await using TestPlane plane = TestPlane.Create();
        byte[] reply = plane.SendForOne("wan", FromClient(client, own, ttl: 1).EchoRequest(7, 9).Payload("abcdefgh").Build(), "wan");
        PacketBuilder expected = PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac);
        expected = client.Contains(':', StringComparison.Ordinal) ? expected.Ipv6(own, client, 64) : expected.Ipv4(own, client, 64);
        Assert.Equal(Convert.ToHexString(expected.EchoReply(7, 9).Payload("abcdefgh").Build()), Convert.ToHexString(reply));
    }

    [Fact]
    public async Task Local_NothingListens_AnswersPortUnreachableOnlyAsOftenAsAllowed()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Workers(workers => workers with { IcmpErrorsPerSecond = 40 }));
        int answers = 0;
        for (int i = 0; i < 10; i++)
        {
            answers += plane.Send("wan", FromClient("198.51.100.2", "198.51.100.1").Udp(1, (ushort)(100 + i)).Build()).Count;
        }

        Assert.Equal(2, answers);
        Assert.Equal(8, plane.Engine.ReadFigures().IcmpErrorsSuppressed);
        plane.Clock.Advance(TimeSpan.FromMilliseconds(25));
        (_, byte[] frame) = Assert.Single(plane.Send("wan", FromClient("198.51.100.2", "198.51.100.1").Udp(1, 99).Build()));
        Assert.Equal((3, 3), (ParsedIcmp.Read(frame).Type, ParsedIcmp.Read(frame).Code));
    }

    [Fact]
    public async Task IcmpErrors_AreNeverSentAboutIcmpErrorsFragmentsOrBroadcast()
    {
        await using TestPlane plane = TestPlane.Create();
        byte[] error = FromClient("198.51.100.2", "192.0.2.1").Icmpv4(new Icmpv4Fields { Type = 3, Code = 1 }).PayloadOf(28).Build();
        Assert.Empty(plane.SendForDrop("wan", error, DropReason.NoRoute));
        byte[] later = FromClient("198.51.100.2", "192.0.2.1").Udp(1, 2).PayloadOf(64).BuildFragments(32)[1];
        Assert.Empty(plane.SendForDrop("wan", later, DropReason.NoRoute));
        byte[] broadcast = PacketBuilder.Ethernet(TestPlane.ClientMac, MacAddress.Broadcast).Ipv4("198.51.100.2", "192.0.2.1").Udp(1, 2).Build();
        Assert.Empty(plane.SendForDrop("wan", broadcast, DropReason.Broadcast));
        Assert.Empty(plane.SendForDrop("wan", PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.ServerMac).Ipv4("198.51.100.2", "10.1.0.11").Udp(1, 2).Build(), DropReason.NotForUs));
    }

    [Fact]
    public async Task Route_WeightedNextHops_ShareFlowsByWeightAndKeepEachFlow()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Route("203.0.113.0/24", "10.1.0.11", "10.1.0.12"));
        DataplaneSpec spec = plane.Engine.Spec;
        NextHopSpec[] hops = [new() { Address = IpAddress.Parse("10.1.0.11"), Weight = 3 }, new() { Address = IpAddress.Parse("10.1.0.12"), Weight = 1 }];
        await plane.Engine.UpdateAsync(spec with
        {
            Routes = [new RouteSpec { To = IpPrefix.Parse("203.0.113.0/24"), Via = hops }],
            Neighbours = [new() { Port = "lan", Address = hops[0].Address!.Value, Mac = TestPlane.ServerMac },
                new() { Port = "lan", Address = hops[1].Address!.Value, Mac = MacAddress.Parse("02:00:00:00:02:02") }],
        });
        int first = 0;
        for (ushort port = 1; port <= 2000; port++)
        {
            byte[] packet = FromClient("198.51.100.2", "203.0.113.7").Udp(port, 80).Build();
            bool toFirst = plane.SendForOne("wan", packet, "lan").AsSpan(0, 6).SequenceEqual((byte[])[2, 0, 0, 0, 2, 1]);
            Assert.Equal(toFirst, plane.SendForOne("wan", packet, "lan")[5] == 1);
            first += toFirst ? 1 : 0;
        }

        Assert.InRange(first, 1400, 1600);
    }

    [Fact]
    public async Task Vlan_TaggedInterface_ReceivesAndSendsWithTag()
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Interface("lan", "10.5.0.1/24", vlan: 5));
        await plane.Engine.UpdateAsync(plane.Engine.Spec with
        {
            Neighbours = [.. plane.Engine.Spec.Neighbours, new() { Port = "lan", Vlan = 5, Address = IpAddress.Parse("10.5.0.9"), Mac = TestPlane.ServerMac }],
        });
        byte[] tagged = plane.SendForOne("wan", FromClient("198.51.100.2", "10.5.0.9").Udp(1, 2).Payload("x").Build(), "lan");
        byte[] expected = PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Vlan(5).Ipv4("198.51.100.2", "10.5.0.9", 63).Udp(1, 2).Payload("x").Build();
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(tagged));

        byte[] back = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Vlan(5).Ipv4("10.5.0.9", "198.51.100.2").Udp(2, 1).Payload("y").Build();
        byte[] untagged = plane.SendForOne("lan", back, "wan");
        Assert.Equal(Convert.ToHexString(PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ipv4("10.5.0.9", "198.51.100.2", 63).Udp(2, 1).Payload("y").Build()),
            Convert.ToHexString(untagged));
        byte[] wrong = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Vlan(6).Ipv4("10.5.0.9", "198.51.100.2").Udp(2, 1).Build();
        Assert.Empty(plane.SendForDrop("lan", wrong, DropReason.NoInterface));
    }

    /// <summary>A second tag would be lost on the way out, so there is no interface for it: neither that of the first nor, where the first is a mere priority, the untagged one.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(0)]
    public async Task Vlan_TwoTags_ComeByNoInterface(ushort outer)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Interface("lan", "10.5.0.1/24", vlan: 5));
        foreach (bool isTwo in new[] { false, true })
        {
            PacketBuilder link = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Vlan(outer);
            byte[] frame = (isTwo ? link.Vlan(5) : link).Ipv4("10.1.0.11", "198.51.100.2").Udp(2, 1).Build();
            if (isTwo)
            {
                Assert.Empty(plane.SendForDrop("lan", frame, DropReason.NoInterface));
            }
            else
            {
                plane.SendForOne("lan", frame, "wan");
            }
        }
    }
}
