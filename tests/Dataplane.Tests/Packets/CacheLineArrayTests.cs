using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Tests.Packets;

public class CacheLineArrayTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(100_000)]
    public void Constructor_AnyCount_StartsOnALineWithRoomForAll(int count)
    {
        Check<ushort>(count);
        Check<uint>(count);
        Check<ulong>(count);
    }

    private static void Check<T>(int count)
        where T : unmanaged
    {
        var array = new CacheLineArray<T>(count);
        Assert.True(array.Elements.Length - array.Start >= count);
        Assert.Equal(0, (long)Marshal.UnsafeAddrOfPinnedArrayElement(array.Elements, array.Start) % CacheLineArray<T>.LineBytes);
    }
}
