using System.Diagnostics;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Ports;

/// <summary>Ports with several queues and with the fast path, opened and closed again and again: nothing is left behind.</summary>
[Collection(AloneCollection.Name)]
public sealed class PortCyclesTests
{
    /// <summary>A thousand rounds, or as many as there is time for: kernels take some milliseconds to let go of a queue. With DATAPLANE_ALL_CYCLES=1 there is time for all.</summary>
    private const int Rounds = 1000, Least = 10;

    private static readonly TimeSpan s_enough = IsForAll ? TimeSpan.MaxValue : TimeSpan.FromSeconds(3);

    /// <summary>Whether there is time for all rounds; in every other run some have to do.</summary>
    internal static bool IsForAll => Environment.GetEnvironmentVariable("DATAPLANE_ALL_CYCLES") == "1";

    [SystemTheory]
    [InlineData(QueueKind.AfPacket)]
    [InlineData(QueueKind.AfXdp)]
    [InlineData(QueueKind.Tap)]
    public void OpenAndClose_TwoQueues_LeaksNothing(QueueKind kind)
    {
        using var home = NetworkNamespace.Create("cycles");
        home.Link("add", "w0", "numrxqueues", "2", "numtxqueues", "2", "type", "veth", "peer", "name", "w1", "numrxqueues", "2", "numtxqueues", "2");
        home.Link("set", "w0", "up");
        home.Link("set", "w1", "up");
        Cycle();
        int descriptors = Descriptors(), mappings = Mappings();
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < Rounds && (round < Least || Stopwatch.GetElapsedTime(start) < s_enough); round++)
            Cycle();
        Assert.InRange(Descriptors(), 0, descriptors + 4);
        Assert.InRange(Mappings(), 0, mappings);

        void Cycle()
        {
            using XdpFlowMap? flows = kind == QueueKind.AfXdp ? new XdpFlowMap() : null;
            var memories = new AfXdpMemories();
            memories.Expect(2);
            IQueueFactory factory = kind switch
            {
                QueueKind.Tap => new TapPortFactory("t0") { Options = new TapOptions { NetworkNamespace = home.Name } },
                QueueKind.AfXdp => new AfXdpPortFactory("w0") { Options = new AfXdpOptions { NetworkNamespace = home.Name, RingEntries = 64 }, Flows = flows },
                _ => new AfPacketPortFactory("w0")
                {
                    ReceiveOptions = new AfPacketReceiveOptions { NetworkNamespace = home.Name, BlockCount = 2, SegmentArenaBytes = 128 << 10 },
                    TransmitOptions = new AfPacketTransmitOptions { NetworkNamespace = home.Name, SlotCount = 64 },
                },
            };
            using IQueuedPort port = factory.OpenQueues("p", [0, 1], _ => memories);
            Assert.Equal(2, port.ReadQueues().Count);
            Assert.NotNull(port.PartOf(1));
        }

        static int Descriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

        // What the kernel shares with a port; the runtime maps and unmaps as it likes.
        static int Mappings() => File.ReadLines("/proc/self/maps").Count(line => line.Contains("socket:", StringComparison.Ordinal) || line.Contains("bpf", StringComparison.Ordinal));
    }
}
