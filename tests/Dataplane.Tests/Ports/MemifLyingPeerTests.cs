using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

/// <summary>What a client writes into the shared memory that is not so. Each ends in a named state, is counted, and passes when its cause does.</summary>
[Collection(MemifCollection.Name)]
public sealed class MemifLyingPeerTests : IDisposable
{
    private readonly MemifBed _bed = new();
    private readonly IPort _port;

    public MemifLyingPeerTests() => _port = _bed.Open(PortRole.Server);

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(1, 60, 4096)]
    [InlineData(15, 60, 4096)]
    [InlineData(16, 60, 4096)]
    [InlineData(65_535, 60, 4096)]
    [InlineData(0, 0, 4096)]
    [InlineData(0, 1519, 4096)]
    [InlineData(0, 0xFFFF_FFFF, 4096)]
    [InlineData(0, 60, 0xFFFF_FFFF)]
    [InlineData(0, 60, 69_632 - 59)]
    [InlineData(0, 0xFFFF_FFFF, 0xFFFF_FFFF)]
    public void Receive_DescriptorOutOfRange_IsCountedAndTheNextFrameComes(int region, uint length, uint offset)
    {
        using MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake();
        Assert.Equal(69_632, liar.Region.LengthBytes);
        byte[] before = liar.Fill(0, 1, 60), after = liar.Fill(2, 2, 100);
        liar.Describe(MemifLiar.ToServer, 1, 0, (ushort)region, length, offset);
        liar.SetHead(MemifLiar.ToServer, 3);
        Assert.Equal([before, after], MemifBed.Collect(_port, 2));
        Assert.Equal((3, 1, 2, LinkState.Up), (liar.Tail(MemifLiar.ToServer), MemifBed.Statistics(_port).Errors, MemifBed.Statistics(_port).ReceivedPackets, _port.Link));
    }

    /// <summary>Touching pages that a file has lost ends a process; so regions are sealed against it before they are taken, or refused.</summary>
    [Fact]
    public void Region_ItsOwnerMakesItShorterBehindTheHandshake_IsRefusedByTheKernelAndFramesGoOn()
    {
        using MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake();
        MemifBed.AwaitLink(_port, LinkState.Up);
        using (var file = new FileStream($"/proc/self/fd/{liar.Region.Descriptor.Number}", FileMode.Open, FileAccess.ReadWrite))
        {
            Assert.ThrowsAny<Exception>(() => file.SetLength(4096));
            Assert.Equal(liar.Region.LengthBytes, file.Length);
        }

        byte[] frame = liar.Fill(0, 1, 60);
        liar.SetHead(MemifLiar.ToServer, 1);
        Assert.Equal([frame], MemifBed.Collect(_port, 1));
    }

    [Fact]
    public void Receive_FrameAtTheLastByteOfTheRegion_IsTakenWhole()
    {
        using MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake();
        byte[] frame = TestFrames.Make(9, 60);
        frame.CopyTo(liar.Region.Span[(liar.Region.LengthBytes - 60)..]);
        liar.Describe(MemifLiar.ToServer, 0, 0, 0, 60, (uint)liar.Region.LengthBytes - 60);
        liar.SetHead(MemifLiar.ToServer, 1);
        Assert.Equal([frame], MemifBed.Collect(_port, 1));
    }

    [Theory]
    [InlineData(17)]
    [InlineData(20_000)]
    [InlineData(65_535)]
    public void Receive_HeadJumps_EndsTheConnectionAndTheNextOneWorks(int head)
    {
        using (MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake())
        {
            MemifBed.AwaitLink(_port, LinkState.Up);
            liar.SetHead(MemifLiar.ToServer, head);
            MemifBed.AwaitLink(_port, LinkState.Down);
            Assert.Equal("ring index went back or beyond the ring", _port.LinkReason);
            Assert.Equal(_port.LinkReason, liar.ExpectEnd());
            Assert.Equal((1, 0), (MemifBed.Statistics(_port).Errors, MemifBed.Statistics(_port).ReceivedPackets));
        }

        Recovers();
    }

    [Fact]
    public void Receive_ChainThatFillsTheRingAndNeverEnds_IsPassedOver()
    {
        using MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake();
        for (int slot = 0; slot < MemifLiar.Entries; slot++)
            liar.Fill(slot, slot, 10, Memif.MEMIF_DESC_FLAG_NEXT);
        liar.SetHead(MemifLiar.ToServer, MemifLiar.Entries);
        MemifBed.Await(() => liar.Tail(MemifLiar.ToServer) == MemifLiar.Entries, _port);

        // The chain's last buffer belongs to what was passed over, the one behind it does not.
        liar.Fill(0, 1, 60);
        byte[] frame = liar.Fill(1, 2, 61);
        liar.SetHead(MemifLiar.ToServer, MemifLiar.Entries + 2);
        Assert.Equal([frame], MemifBed.Collect(_port, 1));
        Assert.Equal((1, LinkState.Up), (MemifBed.Statistics(_port).Errors, _port.Link));
    }

    [Fact]
    public void Receive_PeerDiesInTheMiddleOfAChain_NothingOfItIsSeen()
    {
        using (MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake())
        {
            byte[] whole = liar.Fill(0, 1, 60);
            liar.Fill(1, 2, 2048 / 4, Memif.MEMIF_DESC_FLAG_NEXT);
            liar.SetHead(MemifLiar.ToServer, 2);
            Assert.Equal([whole], MemifBed.Collect(_port, 1));
            MemifBed.Await(() => liar.Tail(MemifLiar.ToServer) == 1, _port);
        }

        MemifBed.AwaitLink(_port, LinkState.Down);
        Assert.Equal(("the peer has closed the connection or ended", 0), (_port.LinkReason, MemifBed.Statistics(_port).Errors));
        Recovers();
    }

    [Theory]
    [InlineData(1, 2048, 36_864)]
    [InlineData(0, 63, 36_864)]
    [InlineData(0, 0, 36_864)]
    [InlineData(0, 2048, 69_632 - 2047)]
    [InlineData(0, 0xFFFF_FFFF, 4096)]
    public void Transmit_LentBufferOutOfRegion_EndsTheConnectionAndWritesNothing(int region, uint length, uint offset)
    {
        using (MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake())
        {
            MemifBed.AwaitLink(_port, LinkState.Up);
            liar.Describe(MemifLiar.ToClient, 1, 0, (ushort)region, length, offset);
            liar.SetHead(MemifLiar.ToClient, 3);
            PacketBatch batch = TestFrames.Batch(TestFrames.Make(1, 60), TestFrames.Make(2, 60), TestFrames.Make(3, 60));
            Assert.Equal(1, _port.Transmit(batch, [0, 1, 2]));
            Assert.Equal((DropReason.LinkDown, DropReason.LinkDown), (batch.ReasonOf(1), batch.ReasonOf(2)));
            MemifBed.AwaitLink(_port, LinkState.Down);
            Assert.Equal("a lent buffer lies outside its region or is under 64 bytes", _port.LinkReason);
            Assert.Equal((1, 2), (MemifBed.Statistics(_port).Errors, MemifBed.Statistics(_port).TransmitRefused));
        }

        Recovers();
    }

    [Fact]
    public void Transmit_HeadGoesBack_EndsTheConnection()
    {
        using MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake();
        MemifBed.AwaitLink(_port, LinkState.Up);
        liar.SetHead(MemifLiar.ToClient, 10);
        Assert.Equal(1, MemifBed.Send(_port, TestFrames.Make(1, 60)));
        liar.SetHead(MemifLiar.ToClient, 5);
        Assert.Equal(0, MemifBed.Send(_port, [.. Enumerable.Range(0, 20).Select(i => TestFrames.Make(i, 60))]));
        MemifBed.AwaitLink(_port, LinkState.Down);
        Assert.Equal("ring index went back or beyond the ring", _port.LinkReason);
    }

    [Fact]
    public void Receive_MemoryFullOfRandomBytes_NeverLeavesTheRegion()
    {
        var random = new Random(42);
        int ended = 0, frames = 0;
        for (int round = 0; round < 60; round++)
        {
            using MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake();
            MemifBed.AwaitLink(_port, LinkState.Up);
            for (int i = 0; i < 20 && _port.Link == LinkState.Up; i++)
            {
                int tail = liar.Tail(MemifLiar.ToServer);
                random.NextBytes(liar.Region.Span[128..(128 + (16 * MemifLiar.Entries))]);

                // Random descriptors are refused at once; many get a region and a place that exist.
                for (int slot = 0; slot < MemifLiar.Entries; slot += random.Next(1, 3))
                    liar.Describe(MemifLiar.ToServer, slot, (ushort)random.Next(4), 0, (uint)random.Next(3000), (uint)random.Next(70_000));
                liar.SetHead(MemifLiar.ToServer, tail + random.Next(MemifLiar.Entries + 1));
                if (random.Next(20) == 0)
                    random.NextBytes(liar.Region.Span[..2048]);
                List<byte[]> received = TestFrames.ReceiveAll(_port);
                Assert.All(received, frame => Assert.InRange(frame.Length, 1, 1518));
                frames += received.Count;
                MemifBed.Send(_port, TestFrames.Make(i, 1518), TestFrames.Make(i, 60));
            }

            ended += _port.Link == LinkState.Up ? 0 : 1;
            liar.Dispose();
            MemifBed.Await(() => _port.Link == LinkState.Down, []);
        }

        Assert.True(frames > 0 && MemifBed.Statistics(_port).Errors > 0, $"{frames} frames, {ended} connections ended");
        Recovers();
    }

    [Fact]
    public void Receive_DescriptorsChangedMeanwhile_NeverLeavesTheRegion()
    {
        using MemifLiar liar = new MemifLiar(_bed.SocketPath).Shake();
        MemifBed.AwaitLink(_port, LinkState.Up);
        bool stop = false;
        var scribbler = new Thread(() =>
        {
            for (uint i = 1; !Volatile.Read(ref stop); i = (i * 1_664_525) + 1_013_904_223)
                liar.Describe(MemifLiar.ToServer, (int)(i >> 28), (ushort)(i & 1), (ushort)((i >> 4) % 2), i >> ((int)(i >> 8) & 31), i >> 15);
        });
        scribbler.Start();
        int count = 0, rounds = 0;
        while (rounds++ < 20_000 && _port.Link == LinkState.Up)
        {
            liar.SetHead(MemifLiar.ToServer, liar.Tail(MemifLiar.ToServer) + MemifLiar.Entries);
            List<byte[]> frames = TestFrames.ReceiveAll(_port);
            count += frames.Count;
            Assert.All(frames, frame => Assert.InRange(frame.Length, 1, 1518));
        }

        Volatile.Write(ref stop, true);
        scribbler.Join();
        Assert.True(count > 0 && MemifBed.Statistics(_port).Errors > 0);
        Assert.Equal(LinkState.Up, _port.Link);
    }

    /// <summary>A peer that tells the truth is served as if nothing had been.</summary>
    private void Recovers()
    {
        using MemifLiar honest = new MemifLiar(_bed.SocketPath).Shake();
        MemifBed.AwaitLink(_port, LinkState.Up);
        byte[] frame = honest.Fill(0, 7, 60);
        honest.SetHead(MemifLiar.ToServer, 1);
        Assert.Equal([frame], MemifBed.Collect(_port, 1));
        honest.SetHead(MemifLiar.ToClient, 1);
        Assert.Equal(1, MemifBed.Send(_port, frame));
        Assert.Equal(1, honest.Tail(MemifLiar.ToClient));
        Assert.Equal(frame, honest.Region.Span.Slice(MemifLiar.BufferOf(MemifLiar.ToClient, 0), 60).ToArray());
    }
}
