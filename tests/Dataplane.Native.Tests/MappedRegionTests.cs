using System.Diagnostics;

namespace Dataplane.Native.Tests;

public class MappedRegionTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(5000)]
    [InlineData(3 << 20)]
    public void Allocate_AnyLength_IsZeroedAndWritableToTheEnd(int length)
    {
        using var region = MappedRegion.Allocate(length);
        Assert.Equal(length, region.LengthBytes);
        Assert.Equal(length, region.Span.Length);
        Assert.False(region.Span.ContainsAnyExcept((byte)0));
        region.Span.Fill(0xA5);
        Assert.Equal(0xA5, region.Span[^1]);
        Assert.Equal(0xA5, region.Memory.Span[length - 1]);
    }

    [Fact]
    public void Allocate_WithoutHugePages_SaysOrdinary()
    {
        using var region = MappedRegion.Allocate(4 << 20, preferHugePages: false);
        Assert.Equal(PageBacking.Ordinary, region.Backing);
        Assert.True(region.Prefault() || !OperatingSystem.IsLinux());
    }

    [Fact]
    public unsafe void Allocate_Large_IsHugeOrAlignedForHuge()
    {
        using var region = MappedRegion.Allocate(6 << 20);
        Assert.NotEqual(PageBacking.KernelRing, region.Backing);
        if (region.Backing != PageBacking.Ordinary)
            Assert.Equal(0u, (ulong)region.Start % (2u << 20));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Allocate_NoLength_Throws(int length) => Assert.Throws<ArgumentOutOfRangeException>(() => MappedRegion.Allocate(length));

    [Fact]
    public void Span_AfterDispose_Throws()
    {
        var region = MappedRegion.Allocate(100);
        Memory<byte> memory = region.Memory;
        region.Dispose();
        region.Dispose();
        Assert.Throws<ObjectDisposedException>(() => region.Span.Length);
        Assert.Throws<ObjectDisposedException>(() => memory.Span.Length);
        Assert.Throws<ObjectDisposedException>(() => memory.Pin());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(4096)]
    [InlineData(4097)]
    public void WithGuardPage_EveryByteInside_CanBeTouched(int length)
    {
        using var region = MappedRegion.WithGuardPage(length);
        region.Span.Fill(1);
        Assert.Equal(length, region.Span.Length);
        Assert.Equal(0u, EndOf(region) % (uint)Environment.SystemPageSize);
    }

    // A fault ends the process, so the kernel is asked to touch the byte instead: it answers EFAULT.
    [Fact]
    public unsafe void WithGuardPage_OneBytePastTheEnd_CannotBeTouched()
    {
        using var region = MappedRegion.WithGuardPage(100);
        using var wake = new EventDescriptor();
        nint inside = Dataplane.Native.Abi.Libc.Write(wake.Descriptor.Number, region.Start + 92, 8);
        nint outside = Dataplane.Native.Abi.Libc.Write(wake.Descriptor.Number, region.Start + 93, 8);
        Assert.Equal(8, inside);
        Assert.Equal(-1, outside);
        Assert.Equal(Dataplane.Native.Abi.Errno.EFAULT, System.Runtime.InteropServices.Marshal.GetLastPInvokeError());
    }

    [Fact]
    public void AllocateAndDispose_AThousandTimes_LeavesNoMapping()
    {
        OpenAndClose();
        int before = ProcessResources.MappingCount();
        for (int i = 0; i < 1000; i++)
            OpenAndClose();
        // The runtime may map a few ranges of its own meanwhile; a leak of ours would be a thousand or more.
        Assert.InRange(ProcessResources.MappingCount() - before, int.MinValue, 50);

        static void OpenAndClose()
        {
            MappedRegion.Allocate(3 << 20).Dispose();
            MappedRegion.WithGuardPage(5000).Dispose();
        }
    }

    private static unsafe ulong EndOf(MappedRegion region) => (ulong)(region.Start + region.LengthBytes);
}
