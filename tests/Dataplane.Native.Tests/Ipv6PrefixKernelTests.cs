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
        MemoryMarshal.Cast<byte, uint>(root.Span)[^1] = Ipv6PrefixKernel.BlockFlag | last | 24;
        Ipv6PrefixKernel.Lookup(root, blocks, high, low, values);
        Assert.Equal(-1, values.IndexOfAnyExcept(1234));
        Ipv6PrefixKernel.LookupScalar(root, blocks, high, low, values);
        Assert.Equal(-1, values.IndexOfAnyExcept(1234));
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
        MemoryMarshal.Cast<byte, uint>(root.Span).Fill(self);
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

    private static GrowingRegion Blocks()
    {
        GrowingRegion blocks = GrowingRegion.Reserve(Ipv6PrefixKernel.BlockCapacityBytes);
        Assert.True(blocks.TryGrow(1));
        return blocks;
    }
}
