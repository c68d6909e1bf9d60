namespace Dataplane.Native.Tests;

public class GrowingRegionTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TryGrow_UpToCapacity_KeepsWhatIsThereAndZeroesWhatIsNew(bool hugePages)
    {
        using GrowingRegion region = GrowingRegion.Reserve(3 * GrowingRegion.StepBytes, hugePages);
        Assert.Equal(3 * GrowingRegion.StepBytes, region.CapacityBytes);
        Assert.Equal(0, region.LengthBytes);
        Assert.True(region.TryGrow(1));
        Assert.Equal(GrowingRegion.StepBytes, region.LengthBytes);
        region.Span.Fill(1);
        Assert.True(region.TryGrow(region.CapacityBytes));
        Assert.Equal(-1, region.Span[..GrowingRegion.StepBytes].IndexOfAnyExcept((byte)1));
        Assert.Equal(-1, region.Span[GrowingRegion.StepBytes..].IndexOfAnyExcept((byte)0));
        Assert.True(region.TryGrow(5));
        Assert.Equal(region.CapacityBytes, region.LengthBytes);
    }

    [Fact]
    public void TryGrow_BeyondCapacity_SaysNo()
    {
        using GrowingRegion region = GrowingRegion.Reserve(1);
        Assert.Equal(GrowingRegion.StepBytes, region.CapacityBytes);
        Assert.False(region.TryGrow(region.CapacityBytes + 1));
        Assert.Equal(0, region.LengthBytes);
        Assert.Throws<ArgumentOutOfRangeException>(() => region.TryGrow(-1));
    }

    // A fault ends the process, so the kernel is asked to touch the bytes instead: it answers EFAULT.
    [Fact]
    public unsafe void TryGrow_UpToCapacity_LeavesGuardsBeforeAndBehind()
    {
        using GrowingRegion region = GrowingRegion.Reserve(GrowingRegion.StepBytes, preferHugePages: false);
        Assert.True(region.TryGrow(region.CapacityBytes));
        using var wake = new EventDescriptor();
        byte* end = region.Start + region.CapacityBytes;
        region.Span[^8..].Clear();
        Assert.Equal(8, Dataplane.Native.Abi.Libc.Write(wake.Descriptor.Number, region.Start, 8));
        Assert.Equal(8, Dataplane.Native.Abi.Libc.Write(wake.Descriptor.Number, end - 8, 8));
        byte*[] outside = [region.Start - GrowingRegion.StepBytes, region.Start - 8, end, end + GrowingRegion.StepBytes - 8];
        foreach (byte* address in outside)
            Assert.Equal(-1, Dataplane.Native.Abi.Libc.Write(wake.Descriptor.Number, address, 8));
    }

    [Fact]
    public void Reserve_NoBytesOrTooMany_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => GrowingRegion.Reserve(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => GrowingRegion.Reserve(int.MaxValue));
    }

    [Fact]
    public void Members_AfterDispose_Throw()
    {
        GrowingRegion region = GrowingRegion.Reserve(1);
        region.Dispose();
        region.Dispose();
        Assert.Throws<ObjectDisposedException>(() => region.TryGrow(1));
        Assert.Throws<ObjectDisposedException>(() => region.Span.Length);
    }
}
