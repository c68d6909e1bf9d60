using System.Buffers.Binary;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Reference;
using Dataplane.Tests.Rewriting;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Overlays.OverlayPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>Super-frames into tunnels and out of them.</summary>
[Collection(AllocationCollection.Name)]
public sealed class OverlaySuperFrameTests
{
    private const int Mss = 1300;

    public static TheoryData<int, int> Families => new() { { 4, 4 }, { 4, 6 }, { 6, 4 }, { 6, 6 } };

    // What a card makes of the outer super-frame is what a sender without super-frames would have sent, packet for packet.
    [Theory]
    [MemberData(nameof(Families))]
    public async Task SuperFrame_ToAnotherHost_IsOneUdpSuperFrameOfItsSegments(int underlay, int family)
    {
        await using var plane = new SuperFramePlane(underlay);
        byte[] inner = Leaving("a", "r", family).Tcp(1000, 80, TcpFlags.Ack).PayloadOf((20 * Mss) + 7).Build();
        Unfinished outer = Assert.Single(plane.Send(plane.A, Unfinished.Of(inner, Mss)));
        List<byte[]> expected = Segments(Unfinished.Of(inner, Mss));
        Assert.Equal((Unfinished.UdpL4, expected[0].Length + 8, 6), (outer.Kind, outer.SegmentBytes, outer.ChecksumOffset));
        Assert.Equal(Unfinished.PseudoHeader(outer.Bytes), BinaryPrimitives.ReadUInt16BigEndian(outer.Bytes.AsSpan(outer.ChecksumStart + 6)));
        List<byte[]> packets = Segments(outer);
        Assert.Equal(expected.Select(Convert.ToHexString), packets.Select(packet => Convert.ToHexString(Inside(packet, BlueVni))));
        Assert.All(packets, packet => Assert.Equal((Peer(7, underlay), SourcePortOf(packets[0])), (IpAddress.Parse(ReferenceDecoder.Decode(packet).Destination), SourcePortOf(packet))));

        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.Equal((1L, 0L, 1L), (accounting.Received, accounting.Originated, accounting.Transmitted));
        Assert.Equal(1, plane.Engine.ReadPorts().Single(port => port.Name == "vx-blue").Statistics.TransmittedSuperFrames);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task SuperFrame_TooLongWithItsHeaders_BecomesTwo(int underlay)
    {
        await using var plane = new SuperFramePlane(underlay);
        byte[] inner = Leaving("a", "r", 4).Tcp(1000, 80, TcpFlags.Ack).PayloadOf(65_000).Build();
        IReadOnlyList<Unfinished> outer = plane.Send(plane.A, Unfinished.Of(inner, 500));
        Assert.Equal(3, outer.Count);
        Assert.Equal(Segments(Unfinished.Of(inner, 500)).Select(Convert.ToHexString), outer.SelectMany(Segments).Select(packet => Convert.ToHexString(Inside(packet, BlueVni))));
        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.Equal((1L, 2L, 3L), (accounting.Received, accounting.Originated, accounting.Transmitted));
    }

    // Datagrams of one super-frame are frames of a tunnel as well; and what is left over alone is an ordinary packet.
    [Theory]
    [MemberData(nameof(Families))]
    public async Task UdpSuperFrameAndUnfinishedChecksum_ToAnotherHost_ArriveWhole(int underlay, int family)
    {
        await using var plane = new SuperFramePlane(underlay);
        byte[] datagrams = Leaving("a", "r", family).Udp(1000, 80).PayloadOf(3000).Build(), alone = Leaving("a", "r", family).Tcp(1000, 80, TcpFlags.Ack).PayloadOf(77).Build();
        IReadOnlyList<Unfinished> outer = plane.Send(plane.A, Unfinished.Of(datagrams, 1000), Unfinished.Of(alone));
        Assert.Equal(2, outer.Count);
        Assert.Equal(Segments(Unfinished.Of(datagrams, 1000)).Select(Convert.ToHexString), Segments(outer[0]).Select(packet => Convert.ToHexString(Inside(packet, BlueVni))));
        Assert.False(outer[1].NeedsChecksum);
        Assert.Equal(Convert.ToHexString(alone), Convert.ToHexString(Inside(outer[1].Bytes, BlueVni)));
    }

    // Over IPv6 too without a checksum, as all packets of tunnels are that the engine finishes.
    [Theory]
    [MemberData(nameof(Families))]
    public async Task SuperFrame_ToAPortThatTakesNone_LeavesAsOrdinaryPackets(int underlay, int family)
    {
        await using var plane = new SuperFramePlane(underlay, wan: FrameOffloads.None);
        byte[] inner = Leaving("a", "r", family).Tcp(1000, 80, TcpFlags.Ack).PayloadOf(10 * Mss).Build();
        IReadOnlyList<Unfinished> packets = plane.Send(plane.A, Unfinished.Of(inner, Mss));
        Assert.Equal(Segments(Unfinished.Of(inner, Mss)).Select(Convert.ToHexString), packets.Select(packet => Convert.ToHexString(Inside(packet.Bytes, BlueVni))));
        Assert.All(packets, packet => Assert.Equal((0, false), (BinaryPrimitives.ReadUInt16BigEndian(packet.Bytes.AsSpan(underlay == 4 ? 40 : 60)), packet.NeedsChecksum)));
        Assert.Equal(10, plane.Engine.ReadAccounting().Originated);
    }

    // Where a way out is narrower than the one that is counted with, outer packets may have to be fragmented, and only whole ones can be.
    [Fact]
    public async Task SuperFrame_WithANarrowerWayOut_IsCutBefore()
    {
        await using var plane = new SuperFramePlane(4, configure: builder =>
            builder.Port("lan", Dataplane.Ports.PortSource.Custom(new OffloadPort(new MacAddress(0x0200_0000_0009), FrameOffloads.None, 1400))).Interface("lan", "10.1.0.1/24"));
        byte[] inner = Leaving("a", "r", 4).Tcp(1000, 80, TcpFlags.Ack).PayloadOf(4 * Mss).Build();
        Assert.Equal([0, 0, 0, 0], plane.Send(plane.A, Unfinished.Of(inner, Mss)).Select(packet => packet.SegmentBytes));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task SegmentsInOneOuterSuperFrameOrInPackets_ComeOutAsOneSuperFrame(int underlay, int family)
    {
        await using var plane = new SuperFramePlane(underlay);
        byte[] inner = Coming("r", "a", family).Tcp(80, 1000, TcpFlags.Ack).PayloadOf((20 * Mss) + 7).Build();
        List<byte[]> segments = Segments(Unfinished.Of(inner, Mss));
        foreach (Unfinished[] sent in (Unfinished[][])[[Outer(underlay, segments)], [.. segments.Select(segment => new Unfinished(From7(underlay, segment)))]])
        {
            Unfinished whole = Assert.Single(plane.Send(plane.Wan, sent));
            Assert.Equal(Mss, whole.SegmentBytes);
            Assert.Equal(segments.Select(Convert.ToHexString), Segments(whole).Select(Convert.ToHexString));
        }

        // One super-frame of 21 frames, which came into being but for the first; then 21 packets. Both times 20 are joined.
        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.Equal((22L, 20L, 2L, 40L), (accounting.Received, accounting.Originated, accounting.Transmitted, accounting.DroppedFor(DropReason.ConsumedJoined)));
        Assert.Equal(42, plane.Engine.ReadPorts().Single(port => port.Name == "vx-blue").Statistics.ReceivedPackets);
    }

    // A host's kernel on this machine leaves its own VXLAN packets uncut, and says only what is inside.
    [Theory]
    [MemberData(nameof(Families))]
    public async Task SuperFrameInsideOfOnePacket_ComesOutAsItIs(int underlay, int family)
    {
        await using var plane = new SuperFramePlane(underlay);
        var inner = Unfinished.Of(Coming("r", "a", family).Tcp(80, 1000, TcpFlags.Ack).PayloadOf(30_000).Build(), Mss);
        byte[] outer = From7(underlay, inner.Bytes);
        int headers = outer.Length - inner.Bytes.Length;
        Unfinished whole = Assert.Single(plane.Send(plane.Wan, inner with { Bytes = outer, ChecksumStart = inner.ChecksumStart + headers }));
        Assert.Equal((Convert.ToHexString(inner.Bytes), inner.ChecksumStart, Mss, inner.Kind), (Convert.ToHexString(whole.Bytes), whole.ChecksumStart, whole.SegmentBytes, whole.Kind));

        // To where no tunnel ends, or with what is none inside, it is what it was: nothing that can be passed on.
        long before = plane.Engine.ReadAccounting().DroppedFor(DropReason.BadOffload);
        outer[underlay == 4 ? 33 : 53] ^= 0x40;
        Assert.Empty(plane.Send(plane.Wan, inner with { Bytes = outer, ChecksumStart = inner.ChecksumStart + headers }));
        Assert.Empty(plane.Send(plane.Wan, inner with { Bytes = From7(underlay, inner.Bytes), ChecksumStart = inner.ChecksumStart + headers + 2 }));
        Assert.Empty(plane.Send(plane.Wan, inner with { Bytes = From7(underlay, inner.Bytes), ChecksumStart = 60_000 }));
        Assert.True(plane.Engine.ReadAccounting().DroppedFor(DropReason.BadOffload) >= before + 2);
    }

    // Two networks and a stranger's identifier may share the ports of an outer flow, and who merges packets does not look inside.
    [Fact]
    public async Task OuterSuperFrame_OfSeveralNetworks_IsTakenApart()
    {
        await using var plane = new SuperFramePlane(4);
        byte[] own = Coming("r", "a", 4).Udp(1, 2).PayloadOf(100).Build(), spoofed = Coming("s", "a", 4).Udp(1, 2).PayloadOf(100).Build();
        Assert.Equal(2, plane.Send(plane.Wan, Outer(4, [own, own, spoofed, own], [BlueVni, 99, BlueVni, BlueVni])).Count);
        Accounting accounting = plane.Engine.ReadAccounting();
        Assert.Equal((1L, 1L), (accounting.DroppedFor(DropReason.OverlayUnknownVni), accounting.DroppedFor(DropReason.SpoofedMac)));
        Assert.Equal((1L, 3L), (accounting.Received, accounting.Originated));

        Assert.Empty(plane.Send(plane.Wan, Outer(4, [own, own], [98, 99])));
        accounting = plane.Engine.ReadAccounting();
        Assert.Equal((3L, 1L), (accounting.DroppedFor(DropReason.OverlayUnknownVni), accounting.DroppedFor(DropReason.ConsumedSegmented)));
    }

    [Fact]
    public async Task OuterSuperFrame_OfMoreSegmentsThanAnybodyMakes_IsDropped()
    {
        await using var plane = new SuperFramePlane(4);
        byte[] own = Coming("r", "a", 4).Udp(1, 2).Build();
        Assert.Equal(128, plane.Send(plane.Wan, Outer(4, [.. Enumerable.Repeat(own, 128)])).Count);
        Assert.Empty(plane.Send(plane.Wan, Outer(4, [.. Enumerable.Repeat(own, 129)])));
        Assert.Equal(1, plane.Engine.ReadAccounting().DroppedFor(DropReason.OverlayMalformed));
    }

    // The mark of congestion of the outer packet goes into every segment, and a segment that cannot have it is not let through.
    [Fact]
    public async Task OuterSuperFrame_MarkedWithCongestion_MarksEverySegment()
    {
        await using var plane = new SuperFramePlane(4);
        byte[] capable = Capable(Coming("r", "a", 4).Tcp(80, 1000, TcpFlags.Ack).PayloadOf(3 * Mss).Build()), not = Coming("r", "a", 4).Tcp(80, 1000).PayloadOf(3 * Mss).Build();
        Unfinished whole = Assert.Single(plane.Send(plane.Wan, Outer(4, Segments(Unfinished.Of(capable, Mss)), congestion: 3)));
        Assert.All(Segments(whole), segment => Assert.Equal(3, segment[15] & 3));
        Assert.Empty(plane.Send(plane.Wan, Outer(4, Segments(Unfinished.Of(not, Mss)), congestion: 3)));
        Assert.Equal(3, plane.Engine.ReadAccounting().DroppedFor(DropReason.OverlayCongestion));
    }

    [Fact]
    public async Task Segments_ForANetworkWhoseEndpointsTakeNone_AreNotJoined()
    {
        await using var plane = new SuperFramePlane(4, a: FrameOffloads.None);
        List<byte[]> segments = Segments(Unfinished.Of(Coming("r", "a", 4).Tcp(80, 1000, TcpFlags.Ack).PayloadOf(5 * Mss).Build(), Mss));
        Assert.Equal(segments.Select(Convert.ToHexString), plane.Send(plane.Wan, Outer(4, segments)).Select(frame => Convert.ToHexString(frame.Bytes)));
        Assert.Equal(0, plane.Engine.ReadAccounting().DroppedFor(DropReason.ConsumedJoined));
    }

    // More than there is room for at a time, in both directions: sent in shares, in order.
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task ManySuperFrames_InOneBatch_AllArriveInOrder(int underlay)
    {
        await using var plane = new SuperFramePlane(underlay);
        Unfinished[] leaving = [.. Enumerable.Range(0, 15).Select(k => Unfinished.Of(Leaving("a", "r", 4).Tcp((ushort)(1000 + k), 80, TcpFlags.Ack).PayloadOf(60_000).Build(), Mss))];
        List<byte[]> packets = [.. plane.Send(plane.A, leaving).SelectMany(Segments)];
        Assert.Equal(leaving.SelectMany(Segments).Select(Convert.ToHexString), packets.Select(packet => Convert.ToHexString(Inside(packet, BlueVni))));

        List<byte[]>[] coming = [.. Enumerable.Range(0, 15).Select(k => Segments(Unfinished.Of(Coming("r", "a", 6).Tcp(80, (ushort)(1000 + k), TcpFlags.Ack).PayloadOf(60_000 - 3000).Build(), Mss)))];
        IReadOnlyList<Unfinished> whole = plane.Send(plane.Wan, [.. coming.Select(segments => Outer(underlay, segments))]);
        Assert.Equal(coming.SelectMany(segments => segments).Select(Convert.ToHexString), whole.SelectMany(frame => frame.SegmentBytes == 0 ? [frame.Bytes] : Segments(frame)).Select(Convert.ToHexString));
    }

    private static byte[] Capable(byte[] frame)
    {
        frame[15] |= 2;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), 0);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), InternetChecksum.Compute(frame.AsSpan(14, 20)));
        return frame;
    }

    /// <summary>What a card makes of a super-frame.</summary>
    private static List<byte[]> Segments(Unfinished whole)
    {
        SuperFrame cut = default;
        Assert.True(cut.TryOpen(whole.Bytes, whole.Kind, whole.SegmentBytes));
        var segments = new List<byte[]>();
        while (cut.IsPending)
        {
            byte[] room = new byte[cut.LongestSegmentBytes];
            segments.Add(room[..cut.WriteNext(whole.Bytes, room)]);
        }

        return segments;
    }

    /// <summary>The frame in a VXLAN packet.</summary>
    private static byte[] Inside(byte[] packet, int vni)
    {
        ReferencePacket outer = ReferenceDecoder.Decode(packet);
        byte[] data = [.. outer.Payload];
        Assert.Equal([8, 0, 0, 0, (byte)(vni >> 16), (byte)(vni >> 8), (byte)vni, 0], data[..8]);
        return data[8..];
    }

    /// <summary>One UDP super-frame from host 7, as a kernel makes it of packets of one outer flow.</summary>
    private static Unfinished Outer(int underlay, List<byte[]> frames, int[]? identifiers = null, int congestion = 0)
    {
        byte[] first = From7(underlay, frames[0], congestion: congestion);
        int headers = first.Length - frames[0].Length - 8;
        List<byte> bytes = [.. first[..headers]];
        for (int i = 0; i < frames.Count; i++)
        {
            int vni = identifiers?[i] ?? BlueVni;
            bytes.AddRange([8, 0, 0, 0, (byte)(vni >> 16), (byte)(vni >> 8), (byte)vni, 0, .. frames[i]]);
        }

        byte[] frame = [.. bytes];
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(headers - 4), (ushort)(frame.Length - headers + 8));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(underlay == 4 ? 16 : 18), (ushort)(frame.Length - (underlay == 4 ? 14 : 54)));
        if (underlay == 4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), 0);
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(24), InternetChecksum.Compute(frame.AsSpan(14, 20)));
        }

        return Unfinished.Of(frame, frames[0].Length + 8);
    }
}
