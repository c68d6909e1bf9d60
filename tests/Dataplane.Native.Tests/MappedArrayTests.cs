namespace Dataplane.Native.Tests;

public class MappedArrayTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(1 << 20)]
    public void Constructor_AnyLength_IsZeroedAlignedAndWritableToTheEnd(int length)
    {
        var array = new MappedArray<long>(length);
        Assert.Equal((length, length * 8L), (array.Length, array.LengthBytes));
        Assert.False(array.Slice(0, length).ContainsAnyExcept(0));
        for (int i = 0; i < length; i += Math.Max(1, length / 100))
            array[i] = i + 1;
        if (length == 0)
            return;
        array[length - 1] = -1;
        Assert.Equal(length == 1 ? -1 : 1, array[0]);
        Assert.Equal(-1, array.Slice(length - 1, 1)[0]);
        Assert.NotEqual(PageBacking.KernelRing, array.Backing);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(10)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void Indexer_Outside_Throws(int index)
    {
        var array = new MappedArray<int>(10);
        Assert.Throws<ArgumentOutOfRangeException>(() => array[index]);
        Assert.Throws<ArgumentOutOfRangeException>(() => array.Slice(index, 1).Length);
        array.Prefetch(index, 64);
        array.PrefetchWhole(index);
    }

    [Theory]
    [InlineData(0, 11)]
    [InlineData(10, 1)]
    [InlineData(5, -1)]
    [InlineData(1, int.MaxValue)]
    public void Slice_Outside_Throws(int start, int length) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new MappedArray<int>(10).Slice(start, length).Length);

    [Fact]
    public void Constructor_NegativeLength_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => new MappedArray<int>(-1));
}
