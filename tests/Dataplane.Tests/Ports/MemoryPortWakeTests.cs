using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>No wake-up is ever lost. A lost one shows as a thread that sleeps while a frame waits: the watchdog ends it and the test fails.</summary>
/// <remarks>Without either of the two fences of the ring, one trial in about 30,000 loses its wake-up on two cores.</remarks>
public class MemoryPortWakeTests
{
    private const int Trials = 50_000;

    private static volatile int s_spun;

    [Fact]
    public void Wake_PingPongOfOneFrame_NeverStops()
    {
        // Both sides sleep before every single frame, so every frame needs its wake-up.
        const int Rounds = 5_000;
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
    public void Wake_PublicationWhileFallingAsleep_IsNeverMissed()
    {
        var port = new MemoryPort(new MemoryPortOptions { RingSlots = 4 });
        using var worker = new SleepyWorker(port.Open("p"));
        Thread receiving = Start(() => worker.Sink(Trials));
        int sent = SendInLockStep(() => port.TrySend([1, 2, 3]), () => port.PendingSent == 0 || worker.TimedOut);
        Join(receiving);
        Assert.False(worker.TimedOut, $"slept while frame {worker.Frames + 1} of {sent} waited");
        Assert.Equal(Trials, worker.Frames);
    }

    [Fact]
    public void WaitToReceive_PublicationWhileFallingAsleep_IsNeverMissed()
    {
        var port = new MemoryPort(new MemoryPortOptions { RingSlots = 4 });
        using IPort end = port.Open("p");
        int received = 0;
        bool timedOut = false;
        Thread receiving = Start(() =>
        {
            while (received < Trials && !timedOut)
            {
                Volatile.Write(ref timedOut, !port.WaitToReceive(TestPorts.Patience));
                using ReceivedFrames frames = port.ReceiveMany();
                received += frames.Count;
                frames.Dispose();
                Pause(received * 11 % 201);
            }
        });
        PacketBatch batch = TestFrames.Batch([1, 2, 3]);
        short[] one = [0];
        int sent = SendInLockStep(Transmit, () => port.PendingReceived == 0 || Volatile.Read(ref timedOut));
        Join(receiving);
        Assert.False(timedOut, $"slept while frame {received + 1} of {sent} waited");
        Assert.Equal(Trials, received);

        void Transmit()
        {
            end.Transmit(batch, one);
            end.Flush();
        }
    }

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

    /// <summary>Sends a frame, waits until it is taken, and sends the next.</summary>
    /// <remarks>The other side falls asleep after a <see cref="Pause"/> of its own, so publication and announcement meet at every distance; and as
    /// nothing is sent before the frame is taken, no later wake-up covers for one that was lost.</remarks>
    private static int SendInLockStep(Action send, Func<bool> taken)
    {
        for (int sent = 1; ; sent++)
        {
            Pause(sent * 7 % 31);
            send();
            for (int looks = 1; !taken(); looks++)
            {
                // A core of its own makes the meeting likely; without one, give way.
                if (looks % 2000 == 0)
                    Thread.Yield();
            }

            if (sent == Trials)
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

        internal void Sink(int frames)
        {
            port.SetWaker(this);
            while (Frames < frames && ReceiveOrSleep())
            {
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
