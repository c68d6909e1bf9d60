using System.Buffers;
using System.Buffers.Binary;
using Dataplane.Ports;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Ports;

/// <summary>Frames out of a byte stream, however it comes in pieces.</summary>
public sealed class StreamDecoderTests
{
    private const int Longest = 1518;

    [Fact]
    public void Take_StreamCutAtEveryByte_GivesEveryFrame()
    {
        byte[][] frames = [TestFrames.Make(1, 1), TestFrames.Make(2, 60), TestFrames.Make(3, 64), TestFrames.Make(4, 14), TestFrames.Make(5, 100)];
        byte[] stream = Encode(frames);
        for (int cut = 0; cut <= stream.Length; cut++)
        {
            Assert.Equal(frames, Decode([stream[..cut], stream[cut..]], asSegments: false));
            Assert.Equal(frames, Decode([stream[..cut], stream[cut..]], asSegments: true));
        }

        Assert.Equal(frames, Decode([.. stream.Select(value => new[] { value })], asSegments: false));
        Assert.Equal(frames, Decode([.. stream.Select(value => new[] { value })], asSegments: true));
    }

    [Fact]
    public void Take_FramesOfAnyLengthInAnyPieces_GivesWhatAPlainReaderGives()
    {
        // 0 to 69,632 are lengths that leave the stream readable: those beyond the port's own are passed over.
        Gen<int> length = Gen.Choose(1, Longest).Or(Gen.Elements(1, 4, 63, 64, 65, Longest, Longest + 1, 9018, 65_536, StreamDecoder.MaxLength));
        Gen<(int[] Lengths, int[] Pieces, bool AsSegments)> cases =
            from lengths in length.NonEmptyListOf().Select(list => list.Take(30).ToArray())
            from pieces in Gen.Choose(1, 4000).Or(Gen.Choose(1, 9)).NonEmptyListOf().Select(list => list.ToArray())
            from asSegments in Gen.Elements(false, true)
            select (lengths, pieces, asSegments);
        Prop.ForAll(cases.ToArbitrary(), made =>
        {
            byte[] stream = Encode([.. made.Lengths.Select((bytes, number) => TestFrames.Make(number, bytes))]);
            List<byte[]> plain = [.. PlainDecode(stream).Where(frame => frame.Length <= Longest)];
            Assert.Equal(plain, Decode(Cut(stream, made.Pieces), made.AsSegments, made.Lengths.Count(bytes => bytes > Longest)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Theory]
    [InlineData(0u, "FrameEmpty")]
    [InlineData(69_633u, "FrameLength")]
    [InlineData(0x47455420u, "FrameLength")]
    [InlineData(0x16030100u, "FrameLength")]
    [InlineData(uint.MaxValue, "FrameLength")]
    public void Take_NoLengthOfAFrame_EndsTheStreamBehindTheFramesBefore(uint length, string reason)
    {
        byte[] frame = TestFrames.Make(1, 60);
        byte[] stream = [.. Encode([frame]), .. new byte[8]];
        BinaryPrimitives.WriteUInt32BigEndian(stream.AsSpan(64), length);
        for (int cut = 0; cut <= stream.Length; cut++)
        {
            FrameRing ring = MakeRing();
            var decoder = new StreamDecoder(ring, Longest);
            ReadOnlySequence<byte> buffer = Segments([stream[..cut], stream[cut..]]);
            Assert.Equal(Enum.Parse<StreamReason>(reason), decoder.Take(ref buffer, out bool isFull));
            Assert.False(isFull);
            Assert.Equal([frame], Drain(ring));
        }
    }

    [Fact]
    public void Take_RingIsFull_StopsBeforeTheFrameAndGoesOnWhenThereIsRoom()
    {
        var ring = new FrameRing(4, 2048);
        var decoder = new StreamDecoder(ring, Longest);
        byte[][] frames = [.. Enumerable.Range(1, 11).Select(number => TestFrames.Make(number, number * 10))];
        foreach (bool asSegments in new[] { false, true })
        {
            byte[] stream = Encode(frames);
            ReadOnlySequence<byte> buffer = asSegments ? Segments([.. stream.Select(value => new[] { value })]) : new ReadOnlySequence<byte>(stream);
            var got = new List<byte[]>();
            foreach (int count in new[] { 4, 4, 3 })
            {
                Assert.Equal(StreamReason.None, decoder.Take(ref buffer, out bool isFull));
                Assert.Equal(count == 4, isFull);
                List<byte[]> some = Drain(ring);
                Assert.Equal(count, some.Count);
                got.AddRange(some);
            }

            Assert.Equal(frames, got);
            Assert.True(buffer.IsEmpty);
        }
    }

    private static FrameRing MakeRing() => new(1024, 2048);

    private static byte[] Encode(IEnumerable<byte[]> frames) => [.. frames.SelectMany(StreamBed.Framed)];

    /// <summary>The other codec: knows the whole stream, and nothing of pieces, rings and limits.</summary>
    private static List<byte[]> PlainDecode(byte[] stream)
    {
        var frames = new List<byte[]>();
        for (int at = 0; at < stream.Length;)
        {
            int length = (stream[at] << 24) | (stream[at + 1] << 16) | (stream[at + 2] << 8) | stream[at + 3];
            frames.Add(stream[(at + 4)..(at + 4 + length)]);
            at += 4 + length;
        }

        return frames;
    }

    private static List<byte[]> Cut(byte[] stream, int[] pieces)
    {
        var cut = new List<byte[]>();
        for (int at = 0, i = 0; at < stream.Length; i++)
        {
            int length = Math.Min(pieces[i % pieces.Length], stream.Length - at);
            cut.Add(stream[at..(at + length)]);
            at += length;
        }

        return cut;
    }

    /// <summary>Decodes pieces as a pipe hands them over: joined to what remained, in one piece or in several.</summary>
    private static List<byte[]> Decode(List<byte[]> pieces, bool asSegments, int oversized = 0)
    {
        FrameRing ring = MakeRing();
        var decoder = new StreamDecoder(ring, Longest);
        var frames = new List<byte[]>();
        var waiting = new List<byte[]>();
        foreach (byte[] piece in pieces)
        {
            waiting.Add(piece);
            ReadOnlySequence<byte> buffer = asSegments ? Segments(waiting) : new ReadOnlySequence<byte>([.. waiting.SelectMany(bytes => bytes)]);
            Assert.Equal(StreamReason.None, decoder.Take(ref buffer, out bool isFull));
            Assert.False(isFull);
            waiting = asSegments ? [.. Pieces(buffer)] : [buffer.ToArray()];
            frames.AddRange(Drain(ring));
        }

        Assert.All(waiting, Assert.Empty);
        Assert.True(decoder.IsBetweenFrames);
        Assert.Equal(oversized, decoder.Oversized);
        return frames;
    }

    private static IEnumerable<byte[]> Pieces(ReadOnlySequence<byte> buffer)
    {
        foreach (ReadOnlyMemory<byte> piece in buffer)
            yield return piece.ToArray();
    }

    private static List<byte[]> Drain(FrameRing ring)
    {
        var frames = new List<byte[]>();
        int count = ring.Take(ring.Slots);
        for (int back = count; back > 0; back--)
            frames.Add(ring.TakenFrame(back).ToArray());
        ring.ReleaseTaken();
        return frames;
    }

    private static ReadOnlySequence<byte> Segments(List<byte[]> pieces)
    {
        if (pieces.Count == 0)
            return ReadOnlySequence<byte>.Empty;
        var first = new Segment(pieces[0], 0);
        Segment last = first;
        foreach (byte[] piece in pieces.Skip(1))
            last = last.Append(piece);
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        internal Segment(byte[] bytes, long runningIndex) => (Memory, RunningIndex) = (bytes, runningIndex);

        internal Segment Append(byte[] bytes)
        {
            var next = new Segment(bytes, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
