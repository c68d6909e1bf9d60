using System.Runtime.InteropServices;

namespace Dataplane.Native.Tests;

/// <summary>The unchecked reader at the very ends of its memory: a page that cannot be touched follows keys, results, root and blocks.</summary>
public class Ipv6PrefixKernelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(300)]
    public void Lookup_EverythingBeforeAGuardPage_StaysInside(int count)
    {
        using MappedRegion root = MappedRegion.WithGuardPage(Ipv6PrefixKernel.RootBytes);
        using GrowingRegion blocks = Blocks();
        using MappedRegion highs = MappedRegion.WithGuardPage(count * sizeof(ulong)), lows = MappedRegion.WithGuardPage(count * sizeof(ulong));
        using MappedRegion results = MappedRegion.WithGuardPage(count * sizeof(int));
        Span<ulong> high = MemoryMarshal.Cast<byte, ulong>(highs.Span), low = MemoryMarshal.Cast<byte, ulong>(lows.Span);
        high.Fill(ulong.MaxValue);
        low.Fill(ulong.MaxValue);
        Span<int> values = MemoryMarshal.Cast<byte, int>(results.Span);
        MemoryMarshal.Cast<byte, uint>(root.Span)[^1] = 7;
        Ipv6PrefixKernel.Lookup(root, blocks, high, low, values);
        Assert.Equal(-1, values.IndexOfAnyExcept(7));

        // A line in the last cache line that there is, of one run: memory ends behind it.
        uint last = (uint)(blocks.LengthBytes - 64);
        Span<byte> line = blocks.Span[^64..];
        line[..16].Fill(0xFF);
        MemoryMarshal.Cast<byte, uint>(line)[4] = 1234;
        Lead(root, blocks, Ipv6PrefixKernel.BlockFlag | last | 24);
        Ipv6PrefixKernel.Lookup(root, blocks, high, low, values);
        Assert.Equal(-1, values.IndexOfAnyExcept(1234));
        Ipv6PrefixKernel.LookupScalar(root, blocks, high, low, values);
        Assert.Equal(-1, values.IndexOfAnyExcept(1234));
    }

    /// <summary>Blocks of each shape whose last entry is the last there is: memory ends behind it. The address is of the last run.</summary>
    [Theory]
    [InlineData(Ipv6PrefixKernel.MapShape)]
    [InlineData(Ipv6PrefixKernel.LinesShape)]
    [InlineData(Ipv6PrefixKernel.LinesShape | Ipv6PrefixKernel.NarrowFlag)]
    [InlineData(Ipv6PrefixKernel.NarrowLineShape | Ipv6PrefixKernel.NarrowFlag)]
    [InlineData(0)]
    [InlineData(16)]
    public void Lookup_LastEntryOfABlockBeforeUnusableMemory_StaysInside(uint shape)
    {
        using MappedRegion root = MappedRegion.Allocate(Ipv6PrefixKernel.RootBytes);
        using GrowingRegion blocks = Blocks();
        int end = blocks.LengthBytes, block = end - (shape switch
        {
            Ipv6PrefixKernel.MapShape => Ipv6PrefixKernel.MapHeadBytes + 32,
            Ipv6PrefixKernel.LinesShape => 64 + Ipv6PrefixKernel.GroupBytes,
            Ipv6PrefixKernel.LinesShape | Ipv6PrefixKernel.NarrowFlag => 64 + Ipv6PrefixKernel.NarrowGroupBytes,
            Ipv6PrefixKernel.NarrowLineShape | Ipv6PrefixKernel.NarrowFlag => 64,
            0 => 64 + 128,
            _ => 32 + 64,
        });

        // All entries are 0 but the last.
        Span<byte> memory = blocks.Span[block..];
        Span<ushort> ends = MemoryMarshal.Cast<byte, ushort>(memory);
        bool isNarrow = (shape & Ipv6PrefixKernel.NarrowFlag) != 0;
        switch (shape & 31)
        {
            case Ipv6PrefixKernel.MapShape:
                memory[Ipv6PrefixKernel.MapHeadBytes - 9] = 0x80;
                memory[Ipv6PrefixKernel.MapHeadBytes - 8] = 7;
                break;
            case Ipv6PrefixKernel.LinesShape:
                ends[..32].Fill(ushort.MaxValue);
                int groupEnds = isNarrow ? 20 : Ipv6PrefixKernel.GroupRuns;
                ends.Slice(32, groupEnds).Fill(ushort.MaxValue - 1);
                ends[31 + groupEnds] = isNarrow ? ends[32] : ushort.MaxValue;
                break;
            default:
                int places = 32 - (int)(shape & 31);
                ends[..(places - 1)].Fill(ushort.MaxValue - 1);
                ends[places - 1] = ushort.MaxValue;
                break;
        }

        uint expected = 1234;
        if (isNarrow && (shape & 31) == Ipv6PrefixKernel.LinesShape)
            memory[64 + 40 + 20] = (byte)(expected = 123);
        else if (isNarrow)
            memory[EntriesAt(shape) + LastRun(shape)] = (byte)(expected = 123);
        else if ((shape & 31) is Ipv6PrefixKernel.MapShape or Ipv6PrefixKernel.LinesShape)
            MemoryMarshal.Cast<byte, uint>(memory)[^1] = expected;
        else
            MemoryMarshal.Cast<byte, uint>(memory[EntriesAt(shape)..])[LastRun(shape)] = expected;
        Lead(root, blocks, Ipv6PrefixKernel.BlockFlag | (uint)block | shape);

        ulong[] keys = [.. Enumerable.Repeat(ulong.MaxValue, 300)];
        int[] values = new int[300], scalar = new int[300];
        Ipv6PrefixKernel.Lookup(root, blocks, keys, keys, values);
        Ipv6PrefixKernel.LookupScalar(root, blocks, keys, keys, scalar);
        Assert.All(values, value => Assert.Equal((int)expected, value));
        Assert.Equal(scalar, values);
        Assert.Equal((int)expected, Ipv6PrefixKernel.Lookup(root, blocks, ulong.MaxValue, ulong.MaxValue));

        static int EntriesAt(uint shape) => 64 - ((int)(shape & 31) * 2);
        static int LastRun(uint shape) => 31 - (int)(shape & 31);
    }

    /// <summary>The sixteenth escape of a block is the farthest before it: nothing that can be read stands before that.</summary>
    [Theory]
    [InlineData(Ipv6PrefixKernel.LinesShape, 64 + 40)]
    [InlineData(Ipv6PrefixKernel.NarrowLineShape, 40)]
    public void Lookup_FarthestEscape_StandsSixteenPlacesBeforeTheBlock(uint shape, int entriesAt)
    {
        using MappedRegion root = MappedRegion.Allocate(Ipv6PrefixKernel.RootBytes);
        using GrowingRegion blocks = Blocks();
        MemoryMarshal.Cast<byte, uint>(blocks.Span)[0] = 12345;
        Span<byte> block = blocks.Span[64..];
        block[..entriesAt].Fill(0xFF);
        block[entriesAt] = Ipv6PrefixKernel.FirstEscape;
        Lead(root, blocks, Ipv6PrefixKernel.BlockFlag | Ipv6PrefixKernel.NarrowFlag | 64 | shape);

        ulong[] keys = [.. Enumerable.Repeat(0x2001_0DB8_0000_0001UL, 300)];
        int[] values = new int[300], scalar = new int[300];
        Ipv6PrefixKernel.Lookup(root, blocks, keys, keys, values);
        Ipv6PrefixKernel.LookupScalar(root, blocks, keys, keys, scalar);
        Assert.All(values, value => Assert.Equal(12345, value));
        Assert.Equal(scalar, values);
    }

    /// <summary>A directory and a node whose last entry is the last there is.</summary>
    [Fact]
    public void Lookup_DirectoryAndNodeBeforeUnusableMemory_StayInside()
    {
        using MappedRegion root = MappedRegion.WithGuardPage(Ipv6PrefixKernel.RootBytes);
        using GrowingRegion blocks = Blocks();
        int directory = blocks.LengthBytes - Ipv6PrefixKernel.DirectoryBytes;
        MemoryMarshal.Cast<byte, uint>(root.Span)[^1] = Ipv6PrefixKernel.BlockFlag | (uint)directory;
        MemoryMarshal.Cast<byte, uint>(blocks.Span)[^1] = 1234;
        AssertAll(root, blocks, ulong.MaxValue, 1234);

        // A node of 62 runs is 256 bytes; its first run has the last entry.
        directory -= Ipv6PrefixKernel.DirectoryBytes;
        int node = blocks.LengthBytes - 256;
        MemoryMarshal.Cast<byte, uint>(root.Span)[^1] = Ipv6PrefixKernel.BlockFlag | (uint)directory;
        MemoryMarshal.Cast<byte, uint>(blocks.Span[directory..])[1023] = Ipv6PrefixKernel.BlockFlag | (uint)node;
        MemoryMarshal.Cast<byte, ulong>(blocks.Span[node..])[0] = ~0UL << 2;
        AssertAll(root, blocks, ulong.MaxValue ^ (63UL << 32), 1234);
        AssertAll(root, blocks, ulong.MaxValue, 0);
    }

    /// <summary>Values of every size pass the steps behind the one that they were found in unchanged.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(239)]
    [InlineData(240)]
    [InlineData(0x3FFF_FFFF)]
    [InlineData(0x4000_0000)]
    [InlineData(int.MaxValue)]
    public void Lookup_AnsweredEarly_IsThatValue(int value)
    {
        using MappedRegion root = MappedRegion.Allocate(Ipv6PrefixKernel.RootBytes);
        using GrowingRegion blocks = Blocks();
        MemoryMarshal.Cast<byte, uint>(root.Span)[0x2001] = (uint)value;
        AssertAll(root, blocks, 0x2001_FFFF_FFFF_FFFF, value);
        AssertAll(root, blocks, 0x2002_FFFF_FFFF_FFFF, 0);
        Lead(root, blocks, (uint)value);
        AssertAll(root, blocks, 0x2001_FFFF_FFFF_FFFF, value);
    }

    [Fact]
    public void Lookup_BlockThatLeadsToItself_Ends()
    {
        using MappedRegion root = MappedRegion.Allocate(Ipv6PrefixKernel.RootBytes);
        using GrowingRegion blocks = Blocks();
        Span<uint> words = MemoryMarshal.Cast<byte, uint>(blocks.Span);
        uint self = Ipv6PrefixKernel.BlockFlag | 64 | 24;
        words[16..20].Fill(uint.MaxValue);
        words[20] = self;
        Lead(root, blocks, self);
        Assert.Equal((int)self, Ipv6PrefixKernel.Lookup(root, blocks, 0, 0));
    }

    [Fact]
    public void Lookup_WrongSizes_Throws()
    {
        using MappedRegion root = MappedRegion.Allocate(Ipv6PrefixKernel.RootBytes), shortRoot = MappedRegion.Allocate(Ipv6PrefixKernel.RootBytes - 1);
        using GrowingRegion blocks = Blocks(), empty = GrowingRegion.Reserve(Ipv6PrefixKernel.BlockCapacityBytes);
        using GrowingRegion small = GrowingRegion.Reserve(GrowingRegion.StepBytes);
        Assert.True(small.TryGrow(1));
        Assert.Throws<ArgumentException>(() => Ipv6PrefixKernel.Lookup(shortRoot, blocks, 1, 1));
        Assert.Throws<ArgumentException>(() => Ipv6PrefixKernel.Lookup(root, small, 1, 1));
        Assert.Throws<ArgumentException>(() => Ipv6PrefixKernel.Lookup(root, empty, 1, 1));
        Assert.Throws<ArgumentException>(() => Ipv6PrefixKernel.Lookup(root, blocks, new ulong[2], new ulong[1], new int[2]));
        Assert.Throws<ArgumentException>(() => Ipv6PrefixKernel.LookupScalar(root, blocks, new ulong[2], new ulong[2], new int[1]));
    }

    private static void AssertAll(MappedRegion root, GrowingRegion blocks, ulong high, int expected)
    {
        ulong[] keys = [.. Enumerable.Repeat(high, 300)];
        int[] values = new int[300], scalar = new int[300];
        Ipv6PrefixKernel.Lookup(root, blocks, keys, keys, values);
        Ipv6PrefixKernel.LookupScalar(root, blocks, keys, keys, scalar);
        Assert.All(values, value => Assert.Equal(expected, value));
        Assert.Equal(scalar, values);
        Assert.Equal(expected, Ipv6PrefixKernel.Lookup(root, blocks, high, high));
    }

    /// <summary>Leads every address to an entry, by a directory and a node in the middle of the region.</summary>
    private static void Lead(MappedRegion root, GrowingRegion blocks, uint entry)
    {
        int directory = blocks.LengthBytes / 2, node = directory + Ipv6PrefixKernel.DirectoryBytes;
        MemoryMarshal.Cast<byte, uint>(root.Span[..Ipv6PrefixKernel.RootBytes]).Fill(Ipv6PrefixKernel.BlockFlag | (uint)directory);
        MemoryMarshal.Cast<byte, uint>(blocks.Span.Slice(directory, Ipv6PrefixKernel.DirectoryBytes)).Fill(Ipv6PrefixKernel.BlockFlag | (uint)node);
        MemoryMarshal.Cast<byte, ulong>(blocks.Span[node..])[0] = 1UL << 63;
        MemoryMarshal.Cast<byte, uint>(blocks.Span[(node + Ipv6PrefixKernel.NodeHeadBytes)..])[0] = entry;
    }

    private static GrowingRegion Blocks()
    {
        GrowingRegion blocks = GrowingRegion.Reserve(Ipv6PrefixKernel.BlockCapacityBytes);
        Assert.True(blocks.TryGrow(1));
        return blocks;
    }
}
