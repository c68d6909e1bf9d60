using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Native.Tests.Packets;

/// <summary>Nothing that is read from the ring is trusted: blocks are written by the test in the kernel's place, right and wrong.</summary>
public class HostileRingTests
{
    private const int Block = 128 << 10, Arena = 128 << 10;
    private const int FrameStart = 92, Slot = 168, FramesInBlock = 20;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Receive_BlocksWithWrongNumbers_NeverLeaveTheBlock(bool keepUnfinished)
    {
        using AfPacketReceiver receiver = Open(keepUnfinished);
        int unfinished = 0;
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

                int last = -1;
                foreach (UnfinishedFrame frame in receiver.Unfinished)
                {
                    Assert.InRange(frame.Index, last + 1, count - 1);
                    last = frame.Index;
                    unfinished++;
                }

                receiver.ReleaseReceived();
            }

            receiver.ReleaseReceived();
            Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(memory[8..]));
            block ^= 1;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
        AfPacketReceiveStatistics seen = receiver.ReadStatistics();
        Assert.Equal(keepUnfinished, unfinished > 0);
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

    // The tag is put back over the end of the offload header, and moves what the header points to.
    [Fact]
    public void Receive_TaggedSuperFrameThatIsKept_IsListedWholeWithItsHeader()
    {
        using AfPacketReceiver receiver = Open(keepUnfinished: true);
        Span<byte> memory = receiver.Region.Span.Slice(Arena, Block);
        Fill(memory);
        Span<byte> header = memory[(48 + (3 * Slot))..];
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1 | 0x10);    // TP_STATUS_USER, TP_STATUS_VLAN_VALID
        BinaryPrimitives.WriteUInt32LittleEndian(header[32..], 7);
        (header[FrameStart - 10], header[FrameStart - 9]) = (1, 1);          // VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4
        BinaryPrimitives.WriteUInt16LittleEndian(header[(FrameStart - 6)..], 1448);
        BinaryPrimitives.WriteUInt16LittleEndian(header[(FrameStart - 4)..], 34);
        BinaryPrimitives.WriteUInt16LittleEndian(header[(FrameStart - 2)..], 16);
        BinaryPrimitives.WriteUInt32LittleEndian(memory[8..], 1);
        int[] offsets = new int[256], lengths = new int[256];

        Assert.Equal(FramesInBlock, receiver.Receive(offsets, lengths));

        UnfinishedFrame kept = Assert.Single(receiver.Unfinished.ToArray());
        Assert.Equal((3, 68), (kept.Index, lengths[3]));
        Assert.Equal((1448, 38, 16), (kept.Header.gso_size, kept.Header.csum_start, kept.Header.csum_offset));
        Assert.Equal([0x81, 0x00, 0, 7], receiver.Region.Span.Slice(offsets[3] + 12, 4).ToArray());
        receiver.ReleaseReceived();
        Assert.Equal(0, receiver.Receive(offsets, lengths));
        Assert.True(receiver.Unfinished.IsEmpty);
    }

    private static AfPacketReceiver Open(bool keepUnfinished = false)
    {
        var options = new AfPacketReceiveOptions { Ring = AfPacketRing.Blocks, BlockBytes = Block, BlockCount = 2, SegmentArenaBytes = Arena, KeepUnfinished = keepUnfinished };
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
