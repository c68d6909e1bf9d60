using System.Buffers.Binary;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Flows;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Rewriting;

/// <summary>Super-frames of any size through the whole pipeline, routed and translated, to ports that take them and to ports that do not.</summary>
public sealed class SuperFramePropertyTests
{
    private const int MaxFrameBytes = 65_535;

    // One of each that are used again and again, as flows and neighbours are in an engine that runs.
    [Fact]
    public async Task Transmit_PortWithoutOffloads_GetsSegmentsThatAreTheSuperFrame()
    {
        await using var plane = new OffloadPlane(FrameOffloads.None, withService: true);
        Prop.ForAll(Sizes(), size =>
        {
            byte[] whole = Build(size);
            long before = plane.Engine.ReadAccounting().DroppedFor(DropReason.ConsumedSegmented);
            IReadOnlyList<Unfinished> sent = plane.Send(Unfinished.Of(whole, size.Segment));
            Assert.All(sent, s => Assert.False(s.NeedsChecksum));
            Assert.Equal(before + 1, plane.Engine.ReadAccounting().DroppedFor(DropReason.ConsumedSegmented));
            AssertSegments(size, whole, [.. sent.Select(s => s.Bytes)]);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public async Task Transmit_PortWithOffloads_GetsTheSuperFrameWhole()
    {
        await using var plane = new OffloadPlane(OffloadPlane.All, withService: true);
        Prop.ForAll(Sizes(), size =>
        {
            byte[] whole = Build(size);
            Unfinished given = Unfinished.Of(whole, size.Segment), sent = Assert.Single(plane.Send(given));
            Assert.Equal((given.Kind, given.SegmentBytes, given.ChecksumStart, given.ChecksumOffset),
                (sent.Kind, sent.SegmentBytes, sent.ChecksumStart, sent.ChecksumOffset));
            Assert.Equal(Unfinished.PseudoHeader(sent.Bytes), BinaryPrimitives.ReadUInt16BigEndian(sent.Bytes.AsSpan(sent.ChecksumStart + sent.ChecksumOffset)));
            ReferencePacket packet = ReferenceDecoder.Decode(sent.Finish());
            AssertHeaders(size, packet);
            Assert.Equal(ReferenceDecoder.Decode(whole).Payload, packet.Payload);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    // The frame without segments: SYN, ACK, short datagrams; the checksum alone is left.
    [Fact]
    public async Task Transmit_UnfinishedChecksum_IsFinishedOrPassedOnAsThePortTakesIt()
    {
        await using var without = new OffloadPlane(FrameOffloads.None, withService: true);
        await using var with = new OffloadPlane(FrameOffloads.Checksum, withService: true);
        Prop.ForAll(Sizes(), drawn =>
        {
            Size size = drawn with { Payload = drawn.Payload % 1400, Segment = 0 };
            byte[] whole = Build(size);
            Unfinished finished = Assert.Single(without.Send(Unfinished.Of(whole))), passed = Assert.Single(with.Send(Unfinished.Of(whole)));
            Assert.Equal((false, true), (finished.NeedsChecksum, passed.NeedsChecksum));
            AssertHeaders(size, ReferenceDecoder.Decode(finished.Bytes));
            Assert.Equal(Convert.ToHexString(finished.Bytes), Convert.ToHexString(passed.Finish()));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    private static Arbitrary<Size> Sizes() =>
        (from family in Gen.Elements(4, 6)
         from tcp in Gen.Elements(true, false)
         from translated in Gen.Elements(true, false)
         from timestamps in Gen.Elements(true, false)
         from port in Gen.Choose(2000, 2010)
         from segment in Gen.Frequency((4, Gen.Choose(1000, 1400)), (2, Gen.Choose(1, 1000)))
         from segments in Gen.Choose(1, 60)
         from less in Gen.Choose(0, 1399)
         let most = MaxFrameBytes - 120
         let payload = Math.Min(most, Math.Max(1, (segment * segments) - (less % segment)))
         select new Size(family, tcp, translated, timestamps, (ushort)port, payload, segment)).ToArbitrary();

    private static byte[] Build(Size size)
    {
        ServiceNet net = ServiceNet.Of(size.Family);
        PacketBuilder packet = PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(net.Client, size.Translated ? net.Service : net.Backend(11));
        packet = size.Tcp
            ? packet.Tcp(new TcpFields
            {
                SourcePort = size.Port,
                DestinationPort = 80,
                Flags = TcpFlags.Ack | TcpFlags.Psh | TcpFlags.Cwr,
                SequenceNumber = 0xFFFF_F000,
                Timestamps = size.Timestamps ? new TcpTimestamps(1, 2) : null,
            })
            : packet.Udp(size.Port, 80);
        byte[] payload = new byte[size.Payload];
        new Random(size.Payload).NextBytes(payload);
        return packet.Payload(payload).Build();
    }

    private static void AssertSegments(Size size, byte[] whole, byte[][] segments)
    {
        ReferencePacket original = ReferenceDecoder.Decode(whole);
        Assert.Equal((size.Payload + size.Segment - 1) / size.Segment, segments.Length);
        var payload = new MemoryStream();
        for (int k = 0; k < segments.Length; k++)
        {
            ReferencePacket packet = ReferenceDecoder.Decode(segments[k]);
            AssertHeaders(size, packet);
            bool last = k == segments.Length - 1;
            Assert.Equal(last ? size.Payload - (k * size.Segment) : size.Segment, packet.Payload.Length);
            if (size.Tcp)
            {
                int flags = 0x10 | (last ? 8 : 0) | (k == 0 ? 0x80 : 0);
                Assert.Equal((unchecked((uint)(0xFFFF_F000 + payload.Length)), flags), (packet.SequenceNumber, packet.TcpFlags));
            }

            if (size.Family == 4)
            {
                Assert.Equal((original.Identification + k) & 0xFFFF, packet.Identification);
            }

            payload.Write(packet.Payload);
        }

        Assert.Equal(original.Payload, payload.ToArray());
    }

    private static void AssertHeaders(Size size, ReferencePacket packet)
    {
        ServiceNet net = ServiceNet.Of(size.Family);
        Assert.Null(packet.Problem);
        Assert.True(packet.HeaderChecksumRight != false && packet.TransportChecksumRight == true, $"checksums of {size}");
        Assert.Equal((net.Client.ToString(), net.Backend(11).ToString(), 63), (packet.Source, packet.Destination, packet.Ttl));
        Assert.Equal((TestPlane.ServerMac.ToString(), size.Translated ? 8080 : 80, 0), (packet.DestinationMac, packet.DestinationPort, packet.Trailer.Length));
    }

    private sealed record Size(int Family, bool Tcp, bool Translated, bool Timestamps, ushort Port, int Payload, int Segment);
}
