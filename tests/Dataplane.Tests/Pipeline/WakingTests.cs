using System.Collections.Concurrent;
using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Telemetry;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Pipeline;

/// <summary>What a worker does first when a port has woken it.</summary>
public class WakingTests
{
    [Fact]
    public async Task Sleep_EndedByAPort_AsksThatPortBeforeTheOthers()
    {
        var asked = new ConcurrentQueue<string>();
        var ports = new[] { "first", "second", "third" }.Select(name => new AskedPort(name, asked)).ToArray();
        await using DataplaneEngine engine = new DataplaneBuilder()
            .Port("first", PortSource.Custom(ports[0])).Port("second", PortSource.Custom(ports[1])).Port("third", PortSource.Custom(ports[2]))
            .Workers(workers => workers with { SpinMicroseconds = 0 })
            .Build();
        await engine.StartAsync();
        foreach (AskedPort waking in ports[1..])
        {
            // A signal that comes while the worker is in a round is found in the middle of it: then once more. In the order of the ports it would always be there.
            for (int tries = 0; !IsFirstOfItsRound(engine, waking, asked); tries++)
            {
                Assert.True(tries < 100, string.Join(", ", asked));
            }

            PortStatus status = engine.ReadPorts().Single(port => port.Name == waking.Name);
            Assert.InRange(status.Wakes, 1, status.Polls);
            Assert.Equal(0, status.Batches);
        }

        Assert.Equal(0, engine.ReadPorts()[0].Wakes);
    }

    private static bool IsFirstOfItsRound(DataplaneEngine engine, AskedPort waking, ConcurrentQueue<string> asked)
    {
        long sleeps = engine.ReadWorkers()[0].Sleeps;
        TestPorts.WaitFor(() => engine.ReadWorkers()[0].Sleeps > sleeps, () => "the worker does not sleep");
        asked.Clear();
        waking.Wake();
        TestPorts.WaitFor(() => asked.Contains(waking.Name + " woke"), () => "the port is not asked");
        string[] order = [.. asked];
        int at = Array.IndexOf(order, waking.Name + " woke");
        return at == 0 || order[at - 1] == "third";
    }

    /// <summary>A port that notes when it is asked, and says whether its descriptor was signalled.</summary>
    private sealed class AskedPort(string name, ConcurrentQueue<string> asked) : IPort, IPortFactory
    {
        private readonly EventDescriptor _signal = new();
        private int _signalled;

        public string Name => name;

        public string Kind => "asked";

        public MacAddress Mac => MacAddress.Parse("02:00:00:00:00:01");

        public int Mtu => 1500;

        public LinkState Link => LinkState.Up;

        public FileDescriptor? PollDescriptor => _signal.Descriptor;

        public IPort Open(string portName) => this;

        public void Wake()
        {
            Volatile.Write(ref _signalled, 1);
            _signal.Signal();
        }

        public int Receive(PacketBatch batch)
        {
            bool woke = Interlocked.Exchange(ref _signalled, 0) != 0;
            if (woke)
            {
                _signal.Drain();
            }

            asked.Enqueue(woke ? name + " woke" : name);
            return 0;
        }

        public void Release(PacketBatch batch)
        {
        }

        public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets) => 0;

        public void Flush()
        {
        }

        public void SetWaker(IPortWaker waker)
        {
        }

        public void ReadStatistics(out PortStatistics statistics) => statistics = default;

        public void Dispose() => _signal.Dispose();
    }
}
