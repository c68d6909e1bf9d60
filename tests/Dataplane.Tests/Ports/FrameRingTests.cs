using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Ports;

public class FrameRingTests
{
    private static readonly int[] s_lengths = [0, 1, 59, 60, 63, 64, 65, 127, 128, 129, 200, 383, 384];

    [Theory]
    [InlineData(2, 0u)]
    [InlineData(4, uint.MaxValue - 2)]
    [InlineData(16, uint.MaxValue - 40)]
    [InlineData(256, uint.MaxValue - 1000)]
    public void AnySequence_AgainstQueue_SameFramesInOrder(int slots, uint start)
    {
        Arbitrary<(int Step, int Argument)[]> steps = Gen.Choose(0, 6).Zip(Gen.Choose(0, 1_000_000)).ArrayOf().ToArbitrary();
        Prop.ForAll(steps, sequence =>
        {
            var run = new ModelRun(new FrameRing(slots, 512, start));
            foreach ((int step, int argument) in sequence)
                run.Step(step, argument);
            run.Finish();
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(50).WithEndSize(150));
    }

    [Fact]
    public void AnySequence_MoreThanTheSlabHolds_WrapsAndNeverOverlaps()
    {
        var random = new Random(4);
        var run = new ModelRun(new FrameRing(32, 512, uint.MaxValue - 10_000));
        for (int i = 0; i < 10_000; i++)
            run.Step(random.Next(7), random.Next());
        run.Finish();
        Assert.True(run.Frames > 3_000);
    }

    [Fact]
    public void Publish_ConsumerThatFoundNothing_IsWokenOnce()
    {
        var ring = new FrameRing(8, 512);
        var waker = new CountingWaker();
        ring.SetWaker(waker);
        Send(ring);
        Assert.Equal(0, waker.Count);
        Assert.Equal(1, ring.Available(8));
        Send(ring);
        Assert.Equal(0, waker.Count);
        Assert.Equal(2, ring.Take(8));
        Assert.Equal(0, ring.Available(8));
        Send(ring);
        Assert.Equal(1, waker.Count);
        Send(ring);
        Assert.Equal(1, waker.Count);
        Assert.Equal(2, ring.Take(8));
        Assert.Equal(0, ring.Take(8));
        ring.Publish();
        Assert.Equal(1, waker.Count);
        Send(ring);
        Assert.Equal(2, waker.Count);
    }

    [Fact]
    public void Available_AnnouncedAndThenServed_IsNotWokenAgain()
    {
        var ring = new FrameRing(8, 512);
        var waker = new CountingWaker();
        ring.SetWaker(waker);
        Assert.Equal(0, ring.Take(8));
        Send(ring);
        Assert.Equal(0, ring.Take(0));
        Assert.Equal(1, ring.Take(8));
        Assert.Equal(0, ring.Take(8));
        ring.SetWaker(null);
        Send(ring);
        ring.SetWaker(waker);
        // The flag went down without anybody to wake; the look that precedes any sleep finds the frame.
        Assert.Equal(1, ring.Take(8));
        Assert.Equal(1, waker.Count);
    }

    private static void Send(FrameRing ring)
    {
        Assert.Equal(1, ring.Reserve(1));
        ring.Write([1, 2, 3]);
        ring.Publish();
    }

    /// <summary>The ring beside a queue: every step is done on both, and what comes out must be the same.</summary>
    private sealed class ModelRun(FrameRing ring)
    {
        private readonly Queue<byte[]> _written = [];
        private readonly Queue<byte[]> _published = [];
        private readonly Queue<(PacketBatch Batch, List<byte[]> Frames)> _taken = [];
        private readonly Stack<PacketBatch> _idle = [];
        private readonly PacketBatch _source = new();
        private int _inRing;

        internal int Frames { get; private set; }

        internal void Step(int step, int argument)
        {
            switch (step)
            {
                case 0:
                    WriteOne(argument);
                    break;
                case 1:
                    WriteMany(argument);
                    break;
                case 2:
                    WriteBatch(argument);
                    break;
                case 3:
                    Publish();
                    break;
                case 4:
                case 5:
                    Take();
                    break;
                default:
                    Release();
                    break;
            }
        }

        internal void Finish()
        {
            Publish();
            while (_inRing > 0)
            {
                Take();
                Release();
            }

            Assert.Equal(0, ring.Pending);
            Assert.Equal(0, ring.Available(1));
        }

        private byte[] Make(int argument) => TestFrames.Make(Frames++, s_lengths[argument % s_lengths.Length]);

        private void Wrote(byte[] frame)
        {
            _written.Enqueue(frame);
            _inRing++;
        }

        private void WriteOne(int argument)
        {
            Assert.Equal(Math.Min(1, ring.Slots - _inRing), ring.Reserve(1));
            if (_inRing == ring.Slots)
                return;
            byte[] frame = Make(argument);
            ring.Write(frame);
            Wrote(frame);
        }

        private void WriteMany(int argument)
        {
            byte[][] frames = [.. Enumerable.Range(0, argument % 20).Select(i => Make(argument / 20 + (i % 3)))];
            int room = ring.Reserve(frames.Length);
            Assert.Equal(Math.Min(frames.Length, ring.Slots - _inRing), room);
            ring.Write(frames.SelectMany(frame => frame).ToArray(), frames[..room].Select(frame => frame.Length).ToArray());
            foreach (byte[] frame in frames[..room])
                Wrote(frame);
        }

        private void WriteBatch(int argument)
        {
            byte[][] frames = [.. Enumerable.Range(0, argument % 40).Select(i => i % 7 == argument % 9 ? new byte[385] : Make(argument / 40 + (i % 5)))];
            _source.Clear(new PortId(0), 0);
            PacketBatch batch = TestFrames.Fill(_source, frames);
            int count = ring.Write(batch, TestFrames.All(batch), out long bytes);
            byte[][] fitting = [.. frames.Where(frame => frame.Length < 385)];
            Assert.Equal(Math.Min(fitting.Length, ring.Slots - _inRing), count);
            Assert.Equal(fitting[..count].Sum(frame => (long)frame.Length), bytes);
            Assert.Equal(frames.Length - count, Enumerable.Range(0, frames.Length).Count(packet => batch.ReasonOf(packet) != Dataplane.Pipeline.DropReason.None));
            foreach (byte[] frame in fitting[..count])
                Wrote(frame);
        }

        private void Publish()
        {
            ring.Publish();
            while (_written.TryDequeue(out byte[]? frame))
                _published.Enqueue(frame);
        }

        private void Take()
        {
            PacketBatch batch = _idle.TryPop(out PacketBatch? idle) ? idle : new PacketBatch();
            batch.Clear(new PortId(0), 0);
            int count = ring.Take(batch, out long bytes);
            Assert.Equal(Math.Min(_published.Count, PacketBatch.Capacity), count);
            List<byte[]> expected = [.. Enumerable.Range(0, count).Select(_ => _published.Dequeue())];
            Assert.Equal(expected.Sum(frame => (long)frame.Length), bytes);
            Assert.Equal(expected, TestFrames.Copy(batch));
            // Whatever the engine does to the head-room and the frame must not show anywhere else.
            for (int packet = 0; packet < count; packet++)
            {
                batch.Memory.Slice(batch.Offsets[packet] - FrameRing.HeadroomBytes, FrameRing.HeadroomBytes).Fill(0xEE);
                batch.Frame(packet).Reverse();
                Array.Reverse(expected[packet]);
            }

            _taken.Enqueue((batch, expected));
        }

        private void Release()
        {
            if (!_taken.TryDequeue(out (PacketBatch Batch, List<byte[]> Frames) taken))
                return;
            Assert.Equal(taken.Frames, TestFrames.Copy(taken.Batch));
            ring.Release(taken.Batch.Count);
            _inRing -= taken.Batch.Count;
            _idle.Push(taken.Batch);
        }
    }
}
