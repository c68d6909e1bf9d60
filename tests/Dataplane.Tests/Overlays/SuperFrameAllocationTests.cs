using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Rewriting;
using Dataplane.Tests.Support;
using static Dataplane.Tests.Overlays.OverlayPlane;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Overlays;

/// <summary>Super-frames into tunnels, and segments out of them that are joined, make the engine allocate nothing.</summary>
[Collection(AllocationCollection.Name)]
public sealed class SuperFrameAllocationTests
{
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Worker_SuperFramesBothWays_AllocatesNothing(int underlay)
    {
        var inner = Unfinished.Of(Leaving("a", "r", 6).Tcp(1000, 80, TcpFlags.Ack).PayloadOf(30_000).Build(), 1000);
        var endpoint = new RepeatingPort(GatewayOf("a"), inner);
        byte[][] segments = [.. Enumerable.Range(0, 20).Select(k => From7(underlay, Coming("r", "a", 6).Tcp(80, 1000, TcpFlags.Ack, (uint)(k * 900)).PayloadOf(900).Build()))];
        var wan = new RepeatingPort(TestPlane.WanMac, [.. segments.Select(segment => new Unfinished(segment))]);
        await using DataplaneEngine engine = new DataplaneBuilder().Port("wan", PortSource.Custom(wan)).Port("a", PortSource.Custom(endpoint)).Port("vx-blue", PortSource.Vxlan())
            .Interface("wan", "198.51.100.1/24").Interface("wan", "2001:db8:1::1/64").Neighbour("wan", Peer(7, underlay).ToString(), PeerMac(7).ToString())
            .Network(Network("blue", 89, "a") with { Overlay = BlueOverlay(underlay) })
            .Workers(workers => workers with { Count = 1, Seed = 1, FlowEntries = 4096 }).UseTimeProvider(new TestClock()).Build();
        engine.StartManual();
        var meter = new AllocationMeter();
        for (int round = -1000; round < 1500; round++)
        {
            (wan.IsFull, endpoint.IsFull) = (true, true);
            meter.Open();
            while (engine.RunOnce() > 0)
            {
            }

            meter.Close(counts: round >= 0);
        }

        meter.AssertNone();
        Assert.Equal((2500L, 2500L), (wan.SuperFrames, endpoint.SuperFrames));
        Assert.Equal(2500 * 19, engine.ReadAccounting().DroppedFor(DropReason.ConsumedJoined));
        Assert.True(engine.ReadAccounting().IsBalanced);
    }

    /// <summary>A port that gives the same frames whenever it is filled, and counts the super-frames it is given.</summary>
    private sealed class RepeatingPort(MacAddress mac, params Unfinished[] frames) : IPort, IPortFactory
    {
        private const int RoomBytes = 64 << 10;
        private readonly byte[] _memory = new byte[frames.Length * RoomBytes];

        public bool IsFull { get; set; }

        public long SuperFrames { get; private set; }

        public MacAddress Mac => mac;

        public int Mtu => 1500;

        public LinkState Link => LinkState.Up;

        public FileDescriptor? PollDescriptor => null;

        public string Kind => "repeating";

        FrameOffloads IPort.Offloads => OffloadPlane.All;

        public IPort Open(string name) => this;

        public int Receive(PacketBatch batch)
        {
            if (!IsFull)
            {
                return 0;
            }

            IsFull = false;
            batch.SetMemory(_memory);
            for (int i = 0; i < frames.Length; i++)
            {
                int offset = (i * RoomBytes) + 66;
                Unfinished frame = frames[i];
                frame.Bytes.CopyTo(_memory, offset);
                batch.Add(offset, frame.Bytes.Length);
                if (frame.NeedsChecksum)
                {
                    batch.SetOffload(i, new PacketOffload
                    {
                        TransportAt = offset + frame.ChecksumStart,
                        ChecksumOffset = (ushort)frame.ChecksumOffset,
                        SegmentBytes = (ushort)frame.SegmentBytes,
                        Kind = frame.Kind,
                    });
                }
            }

            return frames.Length;
        }

        public void Release(PacketBatch batch)
        {
        }

        public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
        {
            foreach (short packet in packets)
            {
                SuperFrames += (batch.Marks[packet] & PacketMarks.SuperFrame) == 0 ? 0 : 1;
            }

            return packets.Length;
        }

        public void Flush()
        {
        }

        public void SetWaker(IPortWaker waker)
        {
        }

        public void ReadStatistics(out PortStatistics statistics) => statistics = default;

        public void Dispose()
        {
        }
    }
}
