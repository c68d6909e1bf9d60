using Dataplane.Balancing;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Reassembly;
using Dataplane.Telemetry;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Nat;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Tracking;
using Dataplane.Tracking;

namespace Dataplane.Tests.Reassembly;

/// <summary>Datagrams in fragments, in every order, through services, source translation and rules that ask for states: byte by byte, and every one accounted for.</summary>
public sealed class FragmentTests
{
    private const int Data = 1024;

    private static readonly int[][] s_orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    public static IEnumerable<object[]> FamiliesAndOrders => new[] { 4, 6 }.SelectMany(family => Enumerable.Range(0, 6).Select(order => new object[] { family, order }));

    public static TheoryData<int> Families => [4, 6];

    [Theory]
    [MemberData(nameof(FamiliesAndOrders))]
    public async Task Service_FragmentsInAnyOrder_AllReachTheOneBackend(int family, int order)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, policy: BalancePolicy.RoundRobin, hosts: [11, 12, 13]);
        for (uint turn = 0; turn < 6; turn++)
        {
            int host = net.HostOf(plane.SendForOne("wan", net.FromClient().Udp((ushort)(2000 + turn), 80).Build(), "lan"));
            Same(Pieces.Of(net.AtBackend(host).Udp((ushort)(2000 + turn), 8080).PayloadOf(2800), Data, turn),
                SendAll(plane, "wan", Pieces.Of(net.FromClient().Udp((ushort)(2000 + turn), 80).PayloadOf(2800), Data, turn), s_orders[order]), "lan");
            Same(Pieces.Of(net.AtClient().Udp(80, (ushort)(2000 + turn)).PayloadOf(2500), Data, turn + 99),
                SendAll(plane, "lan", Pieces.Of(net.FromBackend(host).Udp(8080, (ushort)(2000 + turn)).PayloadOf(2500), Data, turn + 99), s_orders[order]), "wan");
        }

        Assert.Equal(0, plane.Engine.ReadAccounting().Held);
    }

    /// <summary>The fragments themselves make the flow, for UDP and for echo, with the port kept and with another.</summary>
    [Theory]
    [MemberData(nameof(FamiliesAndOrders))]
    public async Task SourceNat_FragmentsInAnyOrder_AreTranslatedAllAlike(int family, int order)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        Same(Pieces.Of(net.AtOutside().Udp(7, 53).PayloadOf(2900), Data, 5),
            SendAll(plane, "lan", Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(2900), Data, 5), s_orders[order]), "wan");
        Same(Pieces.Of(net.AtInside(11).Udp(53, 7).PayloadOf(2700), Data, 6),
            SendAll(plane, "wan", Pieces.Of(net.FromOutside().Udp(53, 7).PayloadOf(2700), Data, 6), s_orders[order]), "lan");
        Same(Pieces.Of(net.AtOutside().EchoRequest(9, 1).PayloadOf(2900), Data, 7),
            SendAll(plane, "lan", Pieces.Of(net.FromInside(11).EchoRequest(9, 1).PayloadOf(2900), Data, 7), s_orders[order]), "wan");
        Same(Pieces.Of(net.AtInside(11).EchoReply(9, 1).PayloadOf(2900), Data, 8),
            SendAll(plane, "wan", Pieces.Of(net.FromOutside().EchoReply(9, 1).PayloadOf(2900), Data, 8), s_orders[order]), "lan");

        // A second host of the same port and identification is another datagram and gets another port.
        IReadOnlyList<byte[]> other = SendAll(plane, "lan", Pieces.Of(net.FromInside(12).Udp(7, 53).PayloadOf(2900), Data, 5), s_orders[order]).Select(sent => sent.Frame).ToList();
        int taken = Reference.ReferenceDecoder.Decode(other.Single(frame => IsFirst(frame, family))).SourcePort;
        Assert.NotEqual(7, taken);
        Same(Pieces.Of(net.AtOutside().Udp((ushort)taken, 53).PayloadOf(2900), Data, 5), [.. other.Select(frame => ("wan", frame))], "wan");
    }

    [Theory]
    [MemberData(nameof(FamiliesAndOrders))]
    public async Task States_FragmentsInAnyOrder_AreJudgedAsTheirFirst(int family, int order)
    {
        TrackedNet net = TrackedNet.Of(family);
        await using TestPlane plane = TrackedNet.Create();
        IReadOnlyList<byte[]> answer = Pieces.Of(net.FromOutside().Udp(53, 7).PayloadOf(2800), Data, 3);
        Assert.Empty(SendAll(plane, "wan", answer, s_orders[order]));
        Assert.Equal(3, plane.Engine.ReadAccounting().DroppedFor(DropReason.FilterDefault));
        Same(Pieces.Of(net.AtOutside().Udp(7, 53).PayloadOf(2800), Data, 4),
            SendAll(plane, "lan", Pieces.Of(net.FromInside().Udp(7, 53).PayloadOf(2800), Data, 4), s_orders[order]), "wan");
        Same(Pieces.Of(net.AtInside().Udp(53, 7).PayloadOf(2800), Data, 5),
            SendAll(plane, "wan", Pieces.Of(net.FromOutside().Udp(53, 7).PayloadOf(2800), Data, 5), s_orders[order]), "lan");

        // A TCP segment in fragments is as long as all of them.
        net.Open(plane, window: 4000);
        Assert.Equal(3, SendAll(plane, "lan", Pieces.Of(net.FromInside().Tcp(Segment(101)).PayloadOf(2500), Data, 6), s_orders[order]).Count);
        TrackedNet.Pass(plane, "wan", net.In(TcpFlags.Ack, 501, 2601, window: 4000));
        TrackedNet.Invalid(plane, "wan", net.In(TcpFlags.Ack, 501, 2602, window: 4000), StateReason.AcknowledgesUnsent);
    }

    /// <summary>RFC 5722: an overlap ends the datagram, a mere repetition does not; neither goes on.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Overlaps_AreDropped_AndWhatComesBehindThem(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        IReadOnlyList<byte[]> whole = Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(4000), Data, 9);
        IReadOnlyList<byte[]> shifted = Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(4000), Data - 8, 9);
        plane.SendForOne("lan", whole[0], "wan");
        plane.SendForDrop("lan", whole[0], DropReason.FragmentOverlap);
        plane.SendForOne("lan", whole[1], "wan");
        plane.SendForDrop("lan", whole[1], DropReason.FragmentOverlap);
        Explanation said = plane.Engine.Explain(shifted[1], "lan");
        Assert.Contains(said.Steps, step => step is { Stage: "fragment", Outcome: "fragment_overlap" });
        plane.SendForDrop("lan", shifted[1], DropReason.FragmentOverlap);
        plane.SendForDrop("lan", whole[2], DropReason.FragmentOverlap);
        plane.SendForDrop("lan", whole[3], DropReason.FragmentOverlap);

        // Those that wait go with the datagram.
        IReadOnlyList<byte[]> waiting = Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(4000), Data, 10);
        plane.Send("lan", waiting[3]);
        plane.Send("lan", waiting[1]);
        Assert.Equal(2, plane.Engine.ReadAccounting().Held);
        plane.Send("lan", Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(4000), Data - 8, 10)[2]);
        Assert.Equal(0, plane.Engine.ReadAccounting().Held);
        plane.SendForDrop("lan", waiting[0], DropReason.FragmentOverlap);

        // When its time is over, the same number may come again.
        plane.Wait(TimeSpan.FromSeconds(6));
        Assert.Equal(4, SendAll(plane, "lan", whole, [0, 1, 2, 3]).Count);
        Assert.Equal(4, SendAll(plane, "lan", whole, [3, 2, 1, 0]).Count);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task FirstNeverComes_TheOthersAreGivenUpByName(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: 11);
        IReadOnlyList<byte[]> fragments = Pieces.Of(net.FromClient().Udp(7, 80).PayloadOf(2800), Data, 1);
        Explanation said = plane.Engine.Explain(fragments[1], "wan");
        Assert.Contains(said.Steps, step => step is { Stage: "fragment", Outcome: "held" });
        Assert.Empty(SendAll(plane, "wan", fragments, [1, 2]));
        Assert.Equal(2, plane.Engine.ReadAccounting().Held);
        Assert.Empty(plane.Wait(TimeSpan.FromSeconds(6)));
        Accounting after = plane.Engine.ReadAccounting();
        Assert.Equal((0, 2), (after.Held, after.DroppedFor(DropReason.FragmentTimeout)));
        Assert.Equal(3, SendAll(plane, "wan", fragments, [2, 0, 1]).Count);
    }

    /// <summary>RFC 8200 4.5, RFC 791 3.2: only the last may end anywhere, and none behind it.</summary>
    [Fact]
    public async Task Contradictions_AreDropped()
    {
        NatNet net = NatNet.Of(6);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        byte[] Piece(int offset, bool more, int bytes, uint id) => net.FromInside(11).Fragment(offset, more, id).Carrying(IpProtocols.Udp).PayloadOf(bytes).Build();
        plane.SendForDrop("lan", Piece(1024, true, 1023, 1), DropReason.BadFragment);
        plane.Send("lan", Piece(1024, false, 100, 2));
        plane.Send("lan", Piece(2048, true, 64, 2));
        Assert.Equal((0, 3), (plane.Engine.ReadAccounting().Held, plane.Engine.ReadAccounting().DroppedFor(DropReason.BadFragment)));
        plane.Send("lan", Piece(2048, true, 64, 3));
        plane.Send("lan", Piece(1024, false, 100, 3));
        Assert.Equal((0, 5), (plane.Engine.ReadAccounting().Held, plane.Engine.ReadAccounting().DroppedFor(DropReason.BadFragment)));
    }

    /// <summary>RFC 3128, RFC 8200 4.1: what would write over a TCP header, and fragments of fragments, never get as far as to be compared.</summary>
    [Theory]
    [InlineData(4, 8)]
    [InlineData(4, 16)]
    [InlineData(6, 8)]
    [InlineData(6, 16)]
    public async Task TcpHeaderWrittenOver_IsDroppedEvenWhereNobodyFollows(int family, int offset)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = TestPlane.Create();
        byte[] spoilt = Pieces.Of(net.FromInside(11).Tcp(7, 80).PayloadOf(100), 24, 1)[1];
        plane.SendForOne("lan", spoilt, "wan");
        if (family == 4)
        {
            spoilt[21] = (byte)(offset / 8);
            (spoilt[24], spoilt[25]) = (0, 0);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(spoilt.AsSpan(24), InternetChecksum.Compute(spoilt.AsSpan(14, 20)));
        }
        else
        {
            spoilt[57] = (byte)((spoilt[57] & 1) | offset);
        }

        plane.SendForDrop("lan", spoilt, DropReason.BadFragment);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(64, true)]
    public async Task FragmentOfAFragment_IsDropped(int inner, bool more)
    {
        NatNet net = NatNet.Of(6);
        await using TestPlane plane = TestPlane.Create();
        plane.SendForDrop("lan", net.FromInside(11).Fragment(0, true, 1).Fragment(inner, more, 2).Carrying(IpProtocols.Udp).PayloadOf(64).Build(), DropReason.BadFragment);
    }

    /// <summary>RFC 6946: a fragment header around a whole packet changes nothing, whatever is on its way under the same number.</summary>
    [Fact]
    public async Task AtomicFragments_AreWholePackets()
    {
        NatNet net = NatNet.Of(6);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        IReadOnlyList<byte[]> fragments = Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(2800), Data, 1);
        plane.SendForOne("lan", fragments[0], "wan");
        NatNet.Same(net.AtOutside().Fragment(0, false, 1).Udp(7, 53).PayloadOf(100).Build(),
            plane.SendForOne("lan", net.FromInside(11).Fragment(0, false, 1).Udp(7, 53).PayloadOf(100).Build(), "wan"));
        plane.SendForOne("lan", fragments[1], "wan");
        plane.SendForOne("lan", fragments[2], "wan");
    }

    /// <summary>RFC 791 3.2: over IPv4 the protocol tells datagrams apart too, whose senders may count for each.</summary>
    [Fact]
    public async Task SameIdentification_OfTwoProtocols_IsOfTwoDatagrams()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        IReadOnlyList<byte[]> udp = Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(2800), Data, 1), echo = Pieces.Of(net.FromInside(11).EchoRequest(9, 1).PayloadOf(2800), Data, 1);
        for (int piece = 0; piece < 3; piece++)
        {
            plane.SendForOne("lan", udp[piece], "wan");
            plane.SendForOne("lan", echo[piece], "wan");
        }
    }

    /// <summary>Anybody has as many addresses as he likes in his /64 (RFC 8200 leaves 64 bits to the interface): together they are one source.</summary>
    [Fact]
    public async Task ManyUnfinished_OfAddressesOfOneNetwork_DisplaceEachOther()
    {
        NatNet net = NatNet.Of(6);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        for (int host = 11; host <= 11 + FragmentTable.Ways; host++)
        {
            Assert.Empty(plane.Send("lan", Pieces.Of(net.FromInside(host).Udp(7, 53).PayloadOf(2800), Data, 1)[1]));
        }

        Accounting after = plane.Engine.ReadAccounting();
        Assert.Equal((FragmentTable.Ways, 1), (after.Held, after.DroppedFor(DropReason.FragmentStoreFull)));
    }

    /// <summary>A source that sends the beginnings of datagrams only displaces its own, and nobody's memory grows.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task ManyUnfinished_DisplaceTheOldestOfTheirOwnSource(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        IReadOnlyList<byte[]> Of(int host, uint id) => Pieces.Of(net.FromInside(host).Udp(7, 53).PayloadOf(2800), Data, id);
        Assert.Empty(plane.Send("lan", Of(11, 1)[1]));
        for (uint id = 2; id < 2 + FragmentTable.Ways; id++)
        {
            Assert.Empty(plane.Send("lan", Of(11, id)[1]));
        }

        Accounting after = plane.Engine.ReadAccounting();
        Assert.Equal((FragmentTable.Ways, 1), (after.Held, after.DroppedFor(DropReason.FragmentStoreFull)));
        Assert.Equal(2, SendAll(plane, "lan", [Of(11, 3)[0]], [0]).Count);
    }

    /// <summary>One datagram may keep so many waiting; then it is given up as a whole.</summary>
    [Fact]
    public async Task TooManyWaiting_EndTheirDatagram()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"));
        IReadOnlyList<byte[]> fragments = Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(4000), 64, 1);
        for (int piece = 1; piece <= FragmentTable.MaxHeldOfOne; piece++)
        {
            plane.Send("lan", fragments[piece]);
        }

        Assert.Equal(FragmentTable.MaxHeldOfOne, plane.Engine.ReadAccounting().Held);
        Assert.Empty(plane.Send("lan", fragments[FragmentTable.MaxHeldOfOne + 1]));
        Assert.Equal(FragmentTable.MaxHeldOfOne + 1, plane.Engine.ReadAccounting().DroppedFor(DropReason.FragmentStoreFull));
    }

    /// <summary>A datagram that waits for its neighbour keeps its ports while it does.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task NeighbourUnknown_FragmentsWaitAndFollow(int family)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan"), withNeighbours: false);
        foreach (byte[] fragment in Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(2800), Data, 1))
        {
            plane.Send("lan", fragment);
        }

        Assert.Equal(3, plane.Engine.ReadAccounting().Held);
        byte[] answer = family == 4
            ? PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).ArpReply("198.51.100.2", TestPlane.WanMac.ToString(), "198.51.100.1").Build()
            : PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", "2001:db8:1::1", 255).NeighbourAdvertisement(
                new NeighbourAdvertisementFields { Target = net.Outside, IsSolicited = true, TargetLinkLayerAddress = TestPlane.ClientMac }).Build();
        Same(Pieces.Of(net.AtOutside().Udp(7, 53).PayloadOf(2800), Data, 1), plane.Send("wan", answer), "wan");
    }

    /// <summary>Identifications come round (RFC 4963): fragments behind the time of a datagram are of another, though nobody has looked at the old one since.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public async Task Service_IdentificationUsedAgain_IsAnotherDatagram(int family)
    {
        ServiceNet net = ServiceNet.Of(family);
        await using TestPlane plane = net.Create(tcp: false, hosts: [11, 12]);
        Assert.Single(plane.Send("wan", Pieces.Of(net.FromClient().Udp(2000, 80).PayloadOf(2800), Data, 7)[0]));
        int host = net.HostOf(plane.SendForOne("wan", net.FromClient().Udp(2001, 80).Build(), "lan"));
        plane.Clock.Advance(TimeSpan.FromTicks((FragmentTable.TimeoutNs / TimeSpan.NanosecondsPerTick) + 1));
        IReadOnlyList<byte[]> later = Pieces.Of(net.FromClient().Udp(2001, 80).PayloadOf(2800), Data, 7);
        Assert.Empty(plane.Send("wan", later[1]));
        Same(Pieces.Of(net.AtBackend(host).Udp(2001, 8080).PayloadOf(2800), Data, 7), [.. plane.Send("wan", later[0]), .. plane.Send("wan", later[2])], "lan");
    }

    /// <summary>Without anybody who needs ports, fragments are routed one by one as they come.</summary>
    [Fact]
    public async Task PlainRouting_HoldsNothing()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create();
        IReadOnlyList<byte[]> fragments = Pieces.Of(net.FromInside(11).Udp(7, 53).PayloadOf(2800), Data, 1);
        plane.SendForOne("lan", fragments[2], "wan");
        plane.SendForOne("lan", fragments[2], "wan");
        Assert.Equal(0, plane.Engine.ReadAccounting().Held);
    }

    private static TcpFields Segment(uint sequence) => new()
    {
        SourcePort = TrackedNet.InsidePort,
        DestinationPort = TrackedNet.OutsidePort,
        Flags = TcpFlags.Ack,
        SequenceNumber = sequence,
        AcknowledgmentNumber = 501,
        Window = 4000,
    };

    private static bool IsFirst(byte[] frame, int family) => family == 4 ? (frame[20] & 0x1F) == 0 && frame[21] == 0 : frame[56] == 0 && (frame[57] & 0xF8) == 0;

    private static List<(string Port, byte[] Frame)> SendAll(TestPlane plane, string port, IReadOnlyList<byte[]> fragments, int[] order) =>
        [.. order.SelectMany(piece => plane.Send(port, fragments[piece]))];

    private static void Same(IReadOnlyList<byte[]> expected, IReadOnlyList<(string Port, byte[] Frame)> sent, string port)
    {
        Assert.All(sent, frame => Assert.Equal(port, frame.Port));
        Assert.Equal(expected.Select(Convert.ToHexString).Order(), sent.Select(frame => Convert.ToHexString(frame.Frame)).Order());
    }
}
