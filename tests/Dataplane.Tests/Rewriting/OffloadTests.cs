using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using Dataplane.Tests.Routing;

namespace Dataplane.Tests.Rewriting;

/// <summary>Unfinished packets where they are not simply forwarded: too long, held, refused, out of the ordinary.</summary>
public sealed class OffloadTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Transmit_SuperFrameBetweenOthers_KeepsTheOrder(int workers)
    {
        await using var plane = new OffloadPlane(FrameOffloads.Checksum, configure: builder => builder.Workers(spec => spec with { Count = workers }));
        IReadOnlyList<Unfinished> sent = plane.Send(
            new Unfinished(Tcp(1).Payload("first").Build()), Unfinished.Of(Tcp(2).PayloadOf(3000).Build(), 1000), Unfinished.Of(Tcp(3).Payload("last").Build()));
        Assert.Equal([1, 2, 2, 2, 3], sent.Select(s => ReferenceDecoder.Decode(s.Bytes).SourcePort));
        Assert.Equal([false, false, false, false, true], sent.Select(s => s.NeedsChecksum));
        Assert.Equal((3, 3, 5, 1), Totals(plane));
    }

    // More segments than a batch has packets, and more bytes than the memory for segments holds at a time.
    [Theory]
    [InlineData(60_000, 100, 600)]
    [InlineData(65_000, 8900, 8)]
    public async Task Transmit_ManySegments_GoesInSeveralBatches(int payload, int segment, int segments)
    {
        await using var plane = new OffloadPlane(FrameOffloads.None, lanMtu: 9000);
        byte[] whole = Tcp(1).PayloadOf(payload).Build();
        IReadOnlyList<Unfinished> sent = plane.Send(Unfinished.Of(whole, segment));
        Assert.Equal(segments, sent.Count);
        Assert.Equal(ReferenceDecoder.Decode(whole).Payload, sent.SelectMany(s => ReferenceDecoder.Decode(s.Bytes).Payload));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Forward_SegmentsTooLong_TellsTheSenderTheMtu(bool ipv6)
    {
        await using var plane = new OffloadPlane(OffloadPlane.All, lanMtu: 1400);
        byte[] whole = (ipv6 ? V6() : V4(dontFragment: true)).Tcp(1, 2, TcpFlags.Ack).PayloadOf(5000).Build();
        Assert.Empty(plane.Send(Unfinished.Of(whole, ipv6 ? 1341 : 1361)));
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.PacketTooBig));
        var error = ParsedIcmp.Read(Assert.Single(plane.Wan.Sent).Bytes);
        Assert.Equal((ipv6 ? 2 : 3, 1400u, true), (error.Type, error.Rest & 0xFFFF, error.ChecksumHolds));
        Assert.Single(plane.Send(Unfinished.Of(whole, ipv6 ? 1340 : 1360)));
    }

    [Fact]
    public async Task Forward_SegmentsTooLongThatMayBeFragmented_BecomeSmaller()
    {
        await using var plane = new OffloadPlane(FrameOffloads.None, lanMtu: 1000);
        byte[] whole = V4(dontFragment: false).Tcp(1, 2, TcpFlags.Ack).PayloadOf(5000).Build();
        ReferencePacket[] sent = [.. plane.Send(Unfinished.Of(whole, 1460)).Select(s => ReferenceDecoder.Decode(s.Bytes))];
        Assert.Equal([960, 960, 960, 960, 960, 200], sent.Select(s => s.Payload.Length));
        Assert.All(sent, s => Assert.True(s.TransportChecksumRight));
    }

    [Fact]
    public async Task Forward_DatagramsTooLong_AreNotFragmented()
    {
        await using var plane = new OffloadPlane(OffloadPlane.All, lanMtu: 1000);
        Assert.Empty(plane.Send(Unfinished.Of(V4(dontFragment: false).Udp(1, 2).PayloadOf(5000).Build(), 1400)));
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.PacketTooBig));
    }

    [Fact]
    public async Task Forward_UnfinishedPacketIsFragmented_HasTheChecksumOfTheWhole()
    {
        await using var plane = new OffloadPlane(OffloadPlane.All, lanMtu: 1000);
        byte[] whole = V4(dontFragment: false).Udp(1, 2).PayloadOf(2500).Build();
        ReferencePacket[] fragments = [.. plane.Send(Unfinished.Of(whole)).Select(s => ReferenceDecoder.Decode(s.Bytes))];
        Assert.Equal(3, fragments.Length);
        byte[] first = plane.Lan.Sent[0].Bytes;
        Assert.Equal(Convert.ToHexString(whole.AsSpan(34, 8)), Convert.ToHexString(first.AsSpan(34, 8)));
        Assert.DoesNotContain(plane.Lan.Sent, s => s.NeedsChecksum);
    }

    [Theory]
    [InlineData(FrameOffloads.None, 20)]
    [InlineData(OffloadPlane.All, 1)]
    public async Task Forward_SuperFrameThatWaitedForItsNeighbour_LeavesAsItWould(FrameOffloads lan, int frames)
    {
        await using var plane = new OffloadPlane(lan, withNeighbours: false);
        byte[] whole = Tcp(7).PayloadOf(20_000).Build();
        byte[] request = Assert.Single(plane.Send(Unfinished.Of(whole, 1000))).Bytes;
        Assert.Equal((0x0806, 1L), (ReferenceDecoder.Decode(request).EtherType, plane.Engine.ReadAccounting().Held));
        plane.Lan.Add(new Unfinished(PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac)
            .ArpReply("10.1.0.11", TestPlane.LanMac.ToString(), "10.1.0.1").Build()));
        ReferencePacket[] sent = [.. plane.Send().Select(s => ReferenceDecoder.Decode(s.NeedsChecksum ? s.Finish() : s.Bytes))];
        Assert.Equal(frames, sent.Length);
        Assert.All(sent, s => Assert.True(s.TransportChecksumRight));
        Assert.Equal(ReferenceDecoder.Decode(whole).Payload, sent.SelectMany(s => s.Payload));
    }

    // The link header becomes longer: what is counted from the start of the frame must follow.
    [Theory]
    [InlineData(FrameOffloads.None, 20)]
    [InlineData(OffloadPlane.All, 1)]
    public async Task Forward_SuperFrameIntoAVlan_IsCountedFromItsNewStart(FrameOffloads lan, int frames)
    {
        await using var plane = new OffloadPlane(lan, withNeighbours: false, configure: builder => builder.Interface("lan", "10.3.0.1/24", vlan: 20));
        byte[] whole = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.3.0.11", dontFragment: true)
            .Tcp(1, 2, TcpFlags.Ack).PayloadOf(20_000).Build();
        plane.Send(Unfinished.Of(whole, 1000));
        plane.Lan.Add(new Unfinished(PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Vlan(20)
            .ArpReply("10.3.0.11", TestPlane.LanMac.ToString(), "10.3.0.1").Build()));
        IReadOnlyList<Unfinished> sent = plane.Send();
        Assert.Equal(frames, sent.Count);
        Assert.All(sent, s => Assert.Equal(lan == FrameOffloads.None ? 0 : 38, s.ChecksumStart));
        ReferencePacket[] packets = [.. sent.Select(s => ReferenceDecoder.Decode(s.NeedsChecksum ? s.Finish() : s.Bytes))];
        Assert.All(packets, packet => Assert.True(packet.TransportChecksumRight == true && packet.Tags.Single().Id == 20));
        Assert.Equal(ReferenceDecoder.Decode(whole).Payload, packets.SelectMany(packet => packet.Payload));
    }

    [Fact]
    public void FaultyPort_AroundAPortWithOffloads_IsRefused()
    {
        using var port = new OffloadPort(TestPlane.LanMac, FrameOffloads.Checksum);
        Assert.Contains("open it without offload", Assert.Throws<ArgumentException>(() => new FaultyPort(port, 1)).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Lies => ["kind of another protocol", "kind unknown", "no segment size", "checksum elsewhere", "checksum outside", "sum of something else"];

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task Receive_OffloadHeaderThatDoesNotFit_IsDropped(string lie)
    {
        await using var plane = new OffloadPlane(OffloadPlane.All);
        Unfinished right = Unfinished.Of(Tcp(1).PayloadOf(3000).Build(), 1000);
        byte[] other = [.. right.Bytes];
        other[right.ChecksumStart + 16] ^= 0x5A;
        Assert.Empty(plane.Send(lie switch
        {
            "kind of another protocol" => right with { Kind = Unfinished.UdpL4 },
            "kind unknown" => right with { Kind = 3 },
            "no segment size" => right with { SegmentBytes = 0 },
            "checksum elsewhere" => right with { ChecksumStart = right.ChecksumStart - 20 },
            "checksum outside" => right with { ChecksumStart = 65_535, Kind = 0 },
            _ => right with { Bytes = other },
        }));
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.BadOffload));
    }

    // An SCTP or tunnelled checksum, or one whose pseudo-header is of another destination, is finished where the header says it is.
    [Fact]
    public async Task Receive_ChecksumOfAnotherKind_IsFinishedAtOnce()
    {
        await using var plane = new OffloadPlane(OffloadPlane.All);
        byte[] frame = V4(dontFragment: true).Carrying(47).PayloadOf(101).Build();
        var given = new Unfinished(frame, 40, 20);
        Unfinished sent = Assert.Single(plane.Send(given));
        Assert.False(sent.NeedsChecksum);
        Assert.Equal(Convert.ToHexString(given.Finish().AsSpan(34)), Convert.ToHexString(sent.Bytes.AsSpan(34)));
    }

    // What the parser drops a user's stage may send all the same, and then nothing is known about its headers.
    [Fact]
    public async Task Transmit_NotIpSentByAStage_IsFinishedAndNoSuperFrame()
    {
        byte[] frame = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Carrying(0x88B5).PayloadOf(100).Build();
        await using var plane = new OffloadPlane(OffloadPlane.All, configure: builder => builder.Stage(StagePosition.AfterParse, new TestStage(batch =>
        {
            for (int i = 0; i < batch.Count; i++)
            {
                batch.Transmit(i, new PortId(1));
            }
        })));
        var given = new Unfinished(frame, 20, 6);
        IReadOnlyList<Unfinished> sent = plane.Send(given, given with { Kind = Unfinished.TcpV4, SegmentBytes = 10 });
        Assert.Equal([(false, 0), (false, 0)], sent.Select(s => (s.NeedsChecksum, (int)s.Kind)));
        Assert.Equal(Convert.ToHexString(given.Finish()), Convert.ToHexString(sent[0].Bytes));
    }

    [Fact]
    public async Task Transmit_SuperFrames_AllocateNothing()
    {
        await using var plane = new OffloadPlane(FrameOffloads.None);
        Unfinished frame = Unfinished.Of(Tcp(1).PayloadOf(30_000).Build(), 1000);
        var port = new CountingPort();
        var offload = new Dataplane.Rewriting.SoftwareOffload(new WorkerCounters());
        var batch = new PacketBatch();
        byte[] memory = new byte[1 << 17];
        short[] all = [0];
        long Run(int times)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int k = 0; k < times; k++)
            {
                frame.Bytes.CopyTo(memory, 66);
                batch.Clear(default, 0);
                batch.SetMemory(memory);
                batch.Add(66, frame.Bytes.Length);
                batch.SetOffload(0, new PacketOffload { TransportAt = 66 + 34, ChecksumOffset = 16, SegmentBytes = 1000, Kind = frame.Kind });
                PacketParser.Process(batch, new Dataplane.Flows.FlowHash(1));
                Dataplane.Rewriting.OffloadStage.Process(batch, Dataplane.Overlays.OverlayTable.Empty);
                offload.Transmit(batch, all, port);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Run(100);
        Assert.Equal(0, Run(500));
        Assert.Equal(600 * 30, port.Frames);
    }

    private static PacketBuilder V4(bool dontFragment) =>
        PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv4("198.51.100.2", "10.1.0.11", dontFragment: dontFragment);

    private static PacketBuilder V6() => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ipv6("2001:db8:1::2", "2001:db8:2::11");

    private static PacketBuilder Tcp(ushort sourcePort) => V4(dontFragment: true).Tcp(sourcePort, 2, TcpFlags.Ack);

    private static (long Received, long Originated, long Transmitted, long Segmented) Totals(OffloadPlane plane)
    {
        Telemetry.Accounting accounting = plane.Engine.ReadAccounting();
        return (accounting.Received, accounting.Originated, accounting.Transmitted, accounting.DroppedFor(DropReason.ConsumedSegmented));
    }
}
