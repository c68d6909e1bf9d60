using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Nat64.Nat64Net;

namespace Dataplane.Tests.Nat64;

/// <summary>Fragments that are translated once all of their datagram is there (RFC 6146 3.4): echo, and UDP over IPv4 without a checksum.</summary>
public sealed class Nat64WholeTests
{
    /// <summary>What a datagram is, and which way it goes.</summary>
    private enum Sort
    {
        EchoOutwards,
        EchoInwards,
        UdpWithoutChecksum,
    }

    [Theory]
    [InlineData("0 1 2")]
    [InlineData("2 1 0")]
    [InlineData("1 0 2")]
    [InlineData("1 2 0")]
    public async Task EchoOfIpv6_InFragments_BeginsAFlowAndIsTranslatedByteExact(string order)
    {
        // RFC 6146 3.5.3; the checksum of ICMPv6 covers the length (RFC 4443 2.3), that of ICMPv4 does not (RFC 792).
        await using TestPlane plane = Create();
        IReadOnlyList<byte[]> sent = FromInside().EchoRequest(7, 1).PayloadOf(3000).BuildFragments(1232, 0x5678_1234);
        IReadOnlyList<byte[]> expected = AtOutside(0x1234).EchoRequest(7, 1).PayloadOf(3000).BuildFragments(1232, 0x1234);
        Check(expected, SendIn(plane, "lan", sent, order));
    }

    [Theory]
    [InlineData("0 1 2")]
    [InlineData("2 1 0")]
    [InlineData("2 0 1")]
    public async Task EchoReplyOfIpv4_InFragments_IsTranslatedByteExact(string order)
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().EchoRequest(7, 1).Build(), "wan");
        IReadOnlyList<byte[]> sent = FromOutside(identification: 9, dontFragment: false).EchoReply(7, 1).PayloadOf(3001).BuildFragments(1200, 9);
        Check(AtInside().EchoReply(7, 1).PayloadOf(3001).BuildFragments(1200, 9), SendIn(plane, "wan", sent, order));
    }

    [Theory]
    [InlineData("0 1 2")]
    [InlineData("2 1 0")]
    [InlineData("1 0 2")]
    public async Task UdpWithoutChecksum_InFragments_GetsOne(string order)
    {
        // RFC 6146 3.4: "the NAT64 MUST reassemble the packets and MUST calculate the checksum".
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        IReadOnlyList<byte[]> sent = FromOutside(identification: 9, dontFragment: false).Udp(53, 5353, checksum: false).PayloadOf(3001).BuildFragments(1200, 9);
        Check(AtInside().Udp(53, 5353).PayloadOf(3001).BuildFragments(1200, 9), SendIn(plane, "wan", sent, order));
    }

    [Fact]
    public async Task UdpWithoutChecksum_ToATranslationWithinIpv4_StaysWithout()
    {
        await using TestPlane plane = Create(more: builder => builder.Nat(new Dataplane.Nat.NatSpec { Inside = "lan", Outside = "wan", Mapping = Dataplane.Nat.NatMapping.EndpointIndependent }));
        plane.SendForOne("lan", PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ipv4("10.1.0.11", Server.ToString()).Udp(5353, 53).Build(), "wan");
        IReadOnlyList<byte[]> sent = FromOutside(identification: 9, dontFragment: false).Udp(53, 5353, checksum: false).PayloadOf(3001).BuildFragments(1200, 9);
        byte[] first = plane.SendForOne("wan", sent[0], "lan");
        Assert.Equal((0, 0), (first[40], first[41]));
    }

    [Fact]
    public async Task WhatNeverBecomesWhole_WaitsForItsTimeAndIsDroppedByName()
    {
        await using TestPlane plane = Create();
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        Assert.Empty(plane.Send("wan", FromOutside(dontFragment: false).Udp(53, 5353, checksum: false).PayloadOf(3000).BuildFragments(1200, 9)[0]));
        Assert.Empty(plane.Send("lan", FromInside().EchoRequest(7, 1).PayloadOf(3000).BuildFragments(1232, 9)[0]));
        Assert.Empty(plane.Send("lan", FromInside().EchoRequest(7, 1).PayloadOf(3000).BuildFragments(1232, 9)[2]));
        Assert.Equal(3, plane.Engine.ReadAccounting().Held);
        plane.Wait(TimeSpan.FromSeconds(6));
        Accounting after = plane.Engine.ReadAccounting();
        Assert.Equal((0, 3), (after.Held, after.DroppedFor(DropReason.FragmentTimeout)));
        Assert.True(after.IsBalanced);
    }

    [Fact]
    public async Task MorePiecesThanADatagramMayHaveWaiting_AreAllDroppedByName()
    {
        await using TestPlane plane = Create();
        IReadOnlyList<byte[]> sent = FromInside().EchoRequest(7, 1).PayloadOf(60 * 64).BuildFragments(64, 9);
        foreach (byte[] fragment in sent)
        {
            Assert.Empty(plane.Send("lan", fragment));
        }

        Accounting after = plane.Engine.ReadAccounting();
        Assert.Equal((0, sent.Count), (after.Held, after.DroppedFor(DropReason.FragmentStoreFull) + after.DroppedFor(DropReason.FragmentOverlap)));
        Assert.True(after.DroppedFor(DropReason.FragmentStoreFull) > 48 && after.IsBalanced);
    }

    [Fact]
    public async Task HeaderBetweenFragmentAndTransport_HasNoPlaceInIpv4()
    {
        // RFC 7915 5.1.1: what stands behind the fragment header is a part of the fragments.
        await using TestPlane plane = Create();
        byte[] first = FromInside().Udp(5353, 53).PayloadOf(2000).BuildFragments(1232, 9)[0];
        byte[] changed = [.. first[..54], 60, .. first[55..62], 17, 0, 1, 4, 0, 0, 0, 0, .. first[62..^8]];
        plane.SendForDrop("lan", changed, DropReason.NatUnsupported);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task AnyDatagram_InAnyOrder_IsWhatItIsAsAWhole(int workers)
    {
        await using TestPlane plane = Create(workers: workers);
        plane.SendForOne("lan", FromInside().Udp(5353, 53).Build(), "wan");
        plane.SendForOne("lan", FromInside().EchoRequest(7, 1).Build(), "wan");
        uint number = 1;
        var datagrams = Gen.Choose(0, int.MaxValue).Select(seed => new Random(seed)).ToArbitrary();
        Prop.ForAll(datagrams, random => RoundTrip(plane, random, ++number & 0x7FFF)).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
        Assert.Equal((0, true), (plane.Engine.ReadAccounting().Held, plane.Engine.ReadAccounting().IsBalanced));
    }

    private static void RoundTrip(TestPlane plane, Random random, uint number)
    {
        byte[] payload = new byte[random.Next(1200, 5000)];
        random.NextBytes(payload);
        int piece = 8 * random.Next(64, 148);
        var sort = (Sort)random.Next(3);
        (PacketBuilder from, PacketBuilder to) = sort switch
        {
            Sort.EchoOutwards => (FromInside().EchoRequest(7, 5), AtOutside((ushort)number).EchoRequest(7, 5)),
            Sort.EchoInwards => (FromOutside(identification: (ushort)number, dontFragment: false).EchoReply(7, 5), AtInside().EchoReply(7, 5)),
            _ => (FromOutside(identification: (ushort)number, dontFragment: false).Udp(53, 5353, checksum: false), AtInside().Udp(53, 5353)),
        };
        IReadOnlyList<byte[]> sent = from.Payload(payload).BuildFragments(piece, number), expected = to.Payload(payload).BuildFragments(piece, number);
        int[] order = [.. Enumerable.Range(0, sent.Count)];
        random.Shuffle(order);
        Check(expected, SendIn(plane, sort == Sort.EchoOutwards ? "lan" : "wan", sent, string.Join(' ', order)));
    }

    private static List<byte[]> SendIn(TestPlane plane, string port, IReadOnlyList<byte[]> fragments, string order)
    {
        var arrived = new List<byte[]>();
        foreach (string which in order.Split(' '))
        {
            Assert.Empty(arrived);
            arrived.AddRange(plane.Send(port, fragments[int.Parse(which, System.Globalization.CultureInfo.InvariantCulture)]).Select(frame => frame.Frame));
        }

        return arrived;
    }

    /// <summary>The same frames, the first fragment first.</summary>
    private static void Check(IReadOnlyList<byte[]> expected, List<byte[]> arrived)
    {
        Assert.Equal(expected.Select(Convert.ToHexString).Order(), arrived.Select(Convert.ToHexString).Order());
        Same(expected[0], arrived[0]);
    }
}
