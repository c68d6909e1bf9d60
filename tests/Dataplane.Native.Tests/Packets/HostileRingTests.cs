using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Native.Tests.Packets;

/// <summary>Nothing that is read from the ring is trusted: blocks are written by the test in the kernel's place, right and wrong.</summary>
public class HostileRingTests
{
    private const int Block = 128 << 10, Arena = 128 << 10;
    private const int FrameStart = 92, Slot = 168, FramesInBlock = 20;

    [Fact]
    public void Receive_BlocksWithWrongNumbers_NeverLeaveTheBlock()
    {
        using AfPacketReceiver receiver = Open();
        int block = 0;
        int[] offsets = new int[256], lengths = new int[256];
        uint[] interesting = [0, 1, 7, 48, 91, 92, 93, 168, 4096, Block - 1, Block, Block + 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, 0xFFFF_FFFF];
        int[] blockFields = [12, 16, 20], frameFields = [0, 12, 16, 20, 24, 28, 32, 36, FrameStart - 10, FrameStart - 8, FrameStart - 4];

        // Where in the block, as a 16- or 32-bit number, and what: the block's own header, and the headers of its frames.
        var edits = from frame in Gen.Choose(-1, FramesInBlock - 1)
                    from field in Gen.Elements(frame < 0 ? blockFields : frameFields)
                    from value in Gen.OneOf(Gen.Elements(interesting), Gen.Choose(0, int.MaxValue).Select(v => (uint)v))
                    select (At: frame < 0 ? field : 48 + (frame * Slot) + field, Value: value);
        Prop.ForAll(Gen.ListOf(edits).ToArbitrary(), list =>
        {
            Span<byte> memory = receiver.Region.Span.Slice(Arena + (block * Block), Block);
            Fill(memory);
            foreach ((int at, uint value) in list.Take(4))
                BinaryPrimitives.WriteUInt32LittleEndian(memory[at..], value);
            BinaryPrimitives.WriteUInt32LittleEndian(memory[8..], 1);
            int count, rounds = 0;
            while ((count = receiver.Receive(offsets, lengths)) > 0)
            {
                Assert.True(++rounds < 1000);
                for (int i = 0; i < count; i++)
                {
                    bool inArena = offsets[i] >= 64 && offsets[i] + lengths[i] <= Arena;
                    bool inBlock = offsets[i] >= Arena + (block * Block) + 48 + 64 && offsets[i] + lengths[i] <= Arena + ((block + 1) * Block);
                    Assert.True(lengths[i] >= 0 && (inArena || inBlock), $"frame at {offsets[i]}, {lengths[i]} bytes");
                }

                receiver.ReleaseReceived();
            }

            receiver.ReleaseReceived();
            Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(memory[8..]));
            block ^= 1;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
        AfPacketReceiveStatistics seen = receiver.ReadStatistics();
        Assert.True(seen.Malformed > 100 && seen.Oversized > 10 && seen.Frames > 1000, $"{seen}");
    }

    [Fact]
    public void Receive_BlockAsTheKernelWritesIt_ListsEveryFrame()
    {
        using AfPacketReceiver receiver = Open();
        Span<byte> memory = receiver.Region.Span.Slice(Arena, Block);
        Fill(memory);
        BinaryPrimitives.WriteUInt32LittleEndian(memory[8..], 1);
        int[] offsets = new int[256], lengths = new int[256];
        Assert.Equal(FramesInBlock, receiver.Receive(offsets, lengths));
        Assert.Equal(Arena + 48 + FrameStart, offsets[0]);
        Assert.Equal(Slot, offsets[1] - offsets[0]);
        Assert.Equal(64, lengths[FramesInBlock - 1]);
        Assert.Equal(0, receiver.ReadStatistics().Malformed);
    }

    private static AfPacketReceiver Open()
    {
        var options = new AfPacketReceiveOptions { BlockBytes = Block, BlockCount = 2, SegmentArenaBytes = Arena };
        var info = new NetworkInterfaceInfo
        {
            Name = "none0",
            Index = 1,
            HardwareAddress = 0,
            IsEthernet = true,
            MtuBytes = 1500,
            IsUp = true,
            IsRunning = true,
            IsLoopback = false,
        };
        return new AfPacketReceiver(new EventDescriptor().Descriptor, info, MappedRegion.Allocate(Arena + (2 * Block)), options);
    }

    private static void Fill(Span<byte> block)
    {
        block.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(block[12..], FramesInBlock);
        BinaryPrimitives.WriteUInt32LittleEndian(block[16..], 48);
        BinaryPrimitives.WriteUInt32LittleEndian(block[20..], 48 + (FramesInBlock * Slot));
        for (int i = 0; i < FramesInBlock; i++)
        {
            Span<byte> header = block[(48 + (i * Slot))..];
            BinaryPrimitives.WriteUInt32LittleEndian(header, i == FramesInBlock - 1 ? 0 : (uint)Slot);
            BinaryPrimitives.WriteUInt32LittleEndian(header[12..], 64);
            BinaryPrimitives.WriteUInt32LittleEndian(header[16..], 64);
            BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1);
            BinaryPrimitives.WriteUInt16LittleEndian(header[24..], FrameStart);
            Frames.Numbered(i, 64).CopyTo(header[FrameStart..]);
        }
    }
}
