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
