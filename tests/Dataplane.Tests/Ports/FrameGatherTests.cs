using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Ports;

/// <summary>Frames cut into parts at random places are whole again, whatever batches end between the parts.</summary>
public class FrameGatherTests
{
    private const int ChunkBytes = 4096, Chunks = 8, Start = ChunkBytes * Chunks, RoomBytes = 32 << 10, MaxFrameBytes = 9018;

    [Fact]
    public void Finish_PartsOfRandomFrames_AreTheFrames() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), PutTogether).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void Add_PartsWithoutEnd_StaysInItsRoomAndGoesOnBehindThem()
    {
        byte[] memory = new byte[Start + RoomBytes + 64];
        memory.AsSpan(Start + RoomBytes).Fill(0xEE);
        memory.AsSpan(256, 3840).Fill(0x55);
        var gather = new FrameGather(memory.AsMemory(0, Start + RoomBytes), Start, RoomBytes, MaxFrameBytes);
        PacketBatch batch = NewBatch(memory);
        for (int i = 0; i < 10_000; i++)
            gather.Add(256, 3840);
        Assert.True(gather.HasRoom);
        gather.Finish(batch);
        gather.Add(256, 100);
        gather.Finish(batch);
        Assert.Equal([(MaxFrameBytes, DropReason.FrameTooLong), (100, DropReason.None)], Enumerable.Range(0, 2).Select(i => (batch.Lengths[i], batch.ReasonOf(i))));
        Assert.True(batch.Frame(1).IndexOfAnyExcept((byte)0x55) < 0);
        Assert.True(memory.AsSpan(Start + RoomBytes).IndexOfAnyExcept((byte)0xEE) < 0);
    }

    [Fact]
    public void HasRoom_FramesOfTheLongestKind_EndsBeforeTheRoomDoes()
    {
        byte[] memory = new byte[Start + RoomBytes];
        var gather = new FrameGather(memory, Start, RoomBytes, MaxFrameBytes);
        PacketBatch batch = NewBatch(memory);
        while (gather.HasRoom)
        {
            for (int i = 0; i < 3; i++)
                gather.Add(256, 3006);
            gather.Finish(batch);
        }

        Assert.Equal(3, batch.Count);
        gather.Clear();
        Assert.True(gather.HasRoom);
    }

    [Fact]
    public void Finish_TenThousandFrames_AllocatesNothing()
    {
        byte[] memory = new byte[Start + RoomBytes];
        var gather = new FrameGather(memory, Start, RoomBytes, MaxFrameBytes);
        PacketBatch batch = NewBatch(memory);
        void Run(int frames)
        {
            for (int i = 0; i < frames; i++)
            {
                batch.Clear(new PortId(0), 0);
                gather.Add(256, 3840);
                gather.Add(ChunkBytes + 256, 3840);
                gather.Finish(batch);
                gather.Clear();
            }
        }

        Run(1000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(10_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void PutTogether(int seed)
    {
        var random = new Random(seed);
        byte[] memory = new byte[Start + RoomBytes];
        var gather = new FrameGather(memory, Start, RoomBytes, MaxFrameBytes);
        PacketBatch batch = NewBatch(memory);
        for (int round = 0; round < 40; round++)
        {
            byte[] frame = new byte[random.Next(1, MaxFrameBytes + 3000)];
            random.NextBytes(frame);
            if (!gather.HasRoom)
            {
                gather.Clear();
                batch = NewBatch(memory);
            }

            Assert.True(gather.HasRoom);
            for (int at = 0; at < frame.Length;)
            {
                int length = Math.Min(frame.Length - at, random.Next(1, ChunkBytes - 255)), offset = (random.Next(Chunks) * ChunkBytes) + 256;
                frame.AsSpan(at, length).CopyTo(memory.AsSpan(offset));
                gather.Add(offset, length);
                Assert.True(gather.IsOpen);
                memory.AsSpan(offset, length).Clear();
                at += length;
                if (random.Next(8) == 0)
                {
                    // The batch ends, though the frame has not.
                    gather.Clear();
                    batch = NewBatch(memory);
                }
            }

            gather.Finish(batch);
            Assert.False(gather.IsOpen);
            int last = batch.Count - 1;
            Assert.Equal(frame[..Math.Min(frame.Length, MaxFrameBytes)], batch.Frame(last).ToArray());
            Assert.Equal(frame.Length > MaxFrameBytes ? DropReason.FrameTooLong : DropReason.None, batch.ReasonOf(last));
            Assert.True(batch.Offsets[last] >= Start + FrameGather.HeadroomBytes && batch.Offsets[last] + batch.Lengths[last] <= memory.Length);
            AssertApart(batch);
        }
    }

    private static PacketBatch NewBatch(byte[] memory)
    {
        var batch = new PacketBatch();
        batch.Clear(new PortId(0), 0);
        batch.SetMemory(memory);
        return batch;
    }

    private static void AssertApart(PacketBatch batch)
    {
        for (int i = 1; i < batch.Count; i++)
            Assert.True(batch.Offsets[i] >= batch.Offsets[i - 1] + batch.Lengths[i - 1] + FrameGather.HeadroomBytes);
    }
}
