using System.Runtime.InteropServices;

namespace Dataplane.Native.Tests;

/// <summary>The unchecked reader at the very ends of its memory: a page that cannot be touched follows keys, results and table.</summary>
public class Ipv4PrefixKernelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(256)]
    [InlineData(300)]
    public void Lookup_EverythingBeforeAGuardPage_StaysInside(int count)
    {
        using MappedRegion table = MappedRegion.WithGuardPage(Ipv4PrefixKernel.TableBytes);
        using GrowingRegion blocks = Blocks();
        using MappedRegion keys = MappedRegion.WithGuardPage(count * sizeof(uint)), results = MappedRegion.WithGuardPage(count * sizeof(int));
        Span<uint> addresses = MemoryMarshal.Cast<byte, uint>(keys.Span);
        addresses.Fill(uint.MaxValue);
        table.Span[Ipv4PrefixKernel.CellBytes - 1] = 7;
        Ipv4PrefixKernel.Lookup(table, blocks, addresses, MemoryMarshal.Cast<byte, int>(results.Span));
        Assert.Equal(-1, MemoryMarshal.Cast<byte, int>(results.Span).IndexOfAnyExcept(7));

        // The last cell escaped: the last block number is read, then block 1 and behind it a node.
        table.Span[Ipv4PrefixKernel.CellBytes - 1] = Ipv4PrefixKernel.Escape;
        MemoryMarshal.Cast<byte, uint>(table.Span)[^1] = 1;
        Span<uint> words = MemoryMarshal.Cast<byte, uint>(blocks.Span);
        (words[8], words[9], words[10]) = (0, 1u << 31, Ipv4PrefixKernel.NodeFlag | 2);
        words[16..24].Fill(uint.MaxValue);
        (words[24], words[25]) = (0x0040_80C0, 1234);
        Ipv4PrefixKernel.Lookup(table, blocks, addresses, MemoryMarshal.Cast<byte, int>(results.Span));
        Assert.Equal(-1, MemoryMarshal.Cast<byte, int>(results.Span).IndexOfAnyExcept(1234));
        Ipv4PrefixKernel.LookupScalar(table, blocks, addresses, MemoryMarshal.Cast<byte, int>(results.Span));
        Assert.Equal(-1, MemoryMarshal.Cast<byte, int>(results.Span).IndexOfAnyExcept(1234));
    }

    [Fact]
    public void Lookup_WrongSizes_Throws()
    {
        using MappedRegion table = MappedRegion.Allocate(Ipv4PrefixKernel.TableBytes), shortTable = MappedRegion.Allocate(Ipv4PrefixKernel.TableBytes - 1);
        using GrowingRegion blocks = Blocks(), empty = GrowingRegion.Reserve(Ipv4PrefixKernel.BlockCapacityBytes);
        using GrowingRegion small = GrowingRegion.Reserve(GrowingRegion.StepBytes);
        Assert.True(small.TryGrow(1));
        Assert.Throws<ArgumentException>(() => Ipv4PrefixKernel.Lookup(shortTable, blocks, 1));
        Assert.Throws<ArgumentException>(() => Ipv4PrefixKernel.Lookup(table, small, 1));
        Assert.Throws<ArgumentException>(() => Ipv4PrefixKernel.Lookup(table, empty, 1));
        Assert.Throws<ArgumentException>(() => Ipv4PrefixKernel.Lookup(table, blocks, new uint[2], new int[1]));
        Assert.Throws<ArgumentException>(() => Ipv4PrefixKernel.LookupScalar(table, blocks, new uint[2], new int[1]));
    }

    [Fact]
    public void Lookup_DisposedRegion_Throws()
    {
        MappedRegion table = MappedRegion.Allocate(Ipv4PrefixKernel.TableBytes);
        using GrowingRegion blocks = Blocks();
        table.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Ipv4PrefixKernel.Lookup(table, blocks, 1));
    }

    private static GrowingRegion Blocks()
    {
        GrowingRegion blocks = GrowingRegion.Reserve(Ipv4PrefixKernel.BlockCapacityBytes);
        Assert.True(blocks.TryGrow(1));
        return blocks;
    }
}
