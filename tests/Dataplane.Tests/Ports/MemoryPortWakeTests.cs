using System.Diagnostics;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>No wake-up is ever lost. A lost one shows as a thread that sleeps while a frame waits: the watchdog ends it and the test fails.</summary>
/// <remarks>Without either of the two fences of the ring, one trial in about 30,000 loses its wake-up on two cores.</remarks>
public class MemoryPortWakeTests
{
    private static readonly byte[] s_any = [1, 2, 3];
    private static readonly byte[] s_last = [4, 5];
    private static volatile int s_spun;

    [Fact]
    public void Wake_PingPongOfOneFrame_NeverStops()
    {
        // Both sides sleep before every single frame, so every frame needs its wake-up.
        const int Rounds = 2_000;
        (MemoryPort first, MemoryPort second) = MemoryPort.CreatePair(new MemoryPortOptions { RingSlots = 2 });
        using var ping = new SleepyWorker(first.Open("ping"));
        using var pong = new SleepyWorker(second.Open("pong"));
        Thread answering = Start(() => pong.Forward(Rounds));
        ping.Port.Transmit(TestFrames.Batch([42]), [0]);
        ping.Port.Flush();
        ping.Forward(Rounds);
        Join(answering);
        Assert.Equal((Rounds, Rounds), (ping.Frames, pong.Frames));
        Assert.False(ping.TimedOut || pong.TimedOut);
    }

    [Fact]
    public void Wake_PublicationWhileFallingAsleep_IsNeverMissed() => WorkerFallsAsleep(TimeSpan.FromSeconds(1));

    [Fact]
    [Trait("Category", "Slow")]
    public void Wake_PublicationWhileFallingAsleepForLong_IsNeverMissed() => WorkerFallsAsleep(TimeSpan.FromSeconds(20));

    [Fact]
    public void WaitToReceive_PublicationWhileFallingAsleep_IsNeverMissed() => EmbedderFallsAsleep(TimeSpan.FromSeconds(1));

    [Fact]
    [Trait("Category", "Slow")]
    public void WaitToReceive_PublicationWhileFallingAsleepForLong_IsNeverMissed() => EmbedderFallsAsleep(TimeSpan.FromSeconds(20));

    [Fact]
    public void WaitToReceive_NothingComes_EndsByTimeAndByToken()
    {
        var port = new MemoryPort();
        Assert.False(port.WaitToReceive(TimeSpan.Zero));
        Assert.False(port.WaitToReceive(TimeSpan.FromMilliseconds(1)));
        using var cancelled = new CancellationTokenSource();
        Thread waiting = Start(() => Assert.Throws<OperationCanceledException>(() => port.WaitToReceive(Timeout.InfiniteTimeSpan, cancelled.Token)));
        cancelled.Cancel();
        Join(waiting);
        using IPort end = port.Open("p");
        end.Transmit(TestFrames.Batch([1]), [0]);
        end.Flush();
        Assert.True(port.WaitToReceive(TimeSpan.Zero));
    }

    private static void WorkerFallsAsleep(TimeSpan effort)
    {
        var port = new MemoryPort(new MemoryPortOptions { RingSlots = 4 });
        using var worker = new SleepyWorker(port.Open("p"));
        Thread receiving = Start(worker.SinkUntilLast);
        int sent = SendInLockStep(effort, last => port.TrySend(last ? s_last : s_any), () => port.PendingSent == 0 || worker.TimedOut);
        Join(receiving);
        Assert.False(worker.TimedOut, $"slept while frame {worker.Frames + 1} of {sent} waited");
        Assert.Equal(sent, worker.Frames);
    }

    private static void EmbedderFallsAsleep(TimeSpan effort)
    {
        var port = new MemoryPort(new MemoryPortOptions { RingSlots = 4 });
        using IPort end = port.Open("p");
        int received = 0;
        bool done = false, timedOut = false;
        Thread receiving = Start(() =>
        {
            while (!done && !timedOut)
            {
                Volatile.Write(ref timedOut, !port.WaitToReceive(TestPorts.Patience));
                using ReceivedFrames frames = port.ReceiveMany();
                foreach (ReadOnlySpan<byte> frame in frames)
                    done |= frame.SequenceEqual(s_last);
                received += frames.Count;
                frames.Dispose();
                Pause(received * 11 % 201);
            }
        });
        PacketBatch batch = TestFrames.Batch(s_any, s_last);
        short[] any = [0], last = [1];
        int sent = SendInLockStep(effort, Transmit, () => port.PendingReceived == 0 || Volatile.Read(ref timedOut));
        Join(receiving);
        Assert.False(timedOut, $"slept while frame {received + 1} of {sent} waited");
        Assert.Equal(sent, received);

        void Transmit(bool isLast)
        {
            end.Transmit(batch, isLast ? last : any);
            end.Flush();
        }
    }

    /// <summary>Sends a frame, waits until it is taken, and sends the next, for as long as <paramref name="effort"/> says.</summary>
    /// <remarks>The other side falls asleep after a <see cref="Pause"/> of its own, so publication and announcement meet at every distance; and as
    /// nothing is sent before the frame is taken, no later wake-up covers for one that was lost.</remarks>
    /// <returns>The number of frames sent, the last one included.</returns>
    private static int SendInLockStep(TimeSpan effort, Action<bool> send, Func<bool> taken)
    {
        long start = Stopwatch.GetTimestamp();
        for (int sent = 1; ; sent++)
        {
            Pause(sent * 7 % 31);
            bool last = sent % 64 == 0 && Stopwatch.GetElapsedTime(start) > effort;
            send(last);
            for (int looks = 1; !taken(); looks++)
            {
                // A core of its own makes the meeting likely; without one, give way.
                if (looks % 500 == 0)
                    Thread.Yield();
            }

            if (last)
                return sent;
        }
    }

    /// <summary>A few nanoseconds for each of <paramref name="length"/>.</summary>
    private static void Pause(int length)
    {
        for (int i = 0; i < length; i++)
            s_spun++;
    }

    private static Thread Start(Action run)
    {
        var thread = new Thread(() => run()) { IsBackground = true };
        thread.Start();
        return thread;
    }

    private static void Join(Thread thread) => Assert.True(thread.Join(TestPorts.Patience * 2), "the thread hangs");

    /// <summary>A worker as an engine has it: its waker costs one read while it is awake, and it sleeps after the last look at its port.</summary>
    private sealed class SleepyWorker(IPort port) : IPortWaker, IDisposable
    {
        private readonly AutoResetEvent _event = new(false);
        private readonly PacketBatch _batch = new();
        private readonly short[] _all = [.. Enumerable.Range(0, PacketBatch.Capacity).Select(number => (short)number)];
        private int _asleep;

        internal IPort Port => port;

        internal int Frames { get; private set; }

        internal bool TimedOut { get; private set; }

        public void Wake()
        {
            if (Volatile.Read(ref _asleep) != 0 && Interlocked.Exchange(ref _asleep, 0) != 0)
                _event.Set();
        }

        public void Dispose()
        {
            port.Dispose();
            _event.Dispose();
        }

        internal void Forward(int frames)
        {
            port.SetWaker(this);
            while (Frames < frames && ReceiveOrSleep())
            {
                port.Transmit(_batch, _all.AsSpan(0, _batch.Count));
                port.Flush();
                port.Release(_batch);
            }
        }

        internal void SinkUntilLast()
        {
            port.SetWaker(this);
            for (bool last = false; !last && ReceiveOrSleep();)
            {
                for (int packet = 0; packet < _batch.Count; packet++)
                    last |= _batch.Frame(packet).SequenceEqual(s_last);
                port.Release(_batch);
                Pause(Frames * 11 % 201);
            }
        }

        private bool ReceiveOrSleep()
        {
            while (true)
            {
                if (Receive())
                    return true;
                Volatile.Write(ref _asleep, 1);
                Interlocked.MemoryBarrier();
                if (Receive())
                {
                    Volatile.Write(ref _asleep, 0);
                    return true;
                }

                if (!_event.WaitOne(TestPorts.Patience))
                {
                    TimedOut = true;
                    return false;
                }
            }
        }

        private bool Receive()
        {
            _batch.Clear(new PortId(0), 0);
            int count = port.Receive(_batch);
            Frames += count;
            return count > 0;
        }
    }
}
