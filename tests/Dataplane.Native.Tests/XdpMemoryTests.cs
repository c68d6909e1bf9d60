namespace Dataplane.Native.Tests;

public class XdpMemoryTests
{
    [Fact]
    public void JoinAndLeave_PortsThatExchangeChunks_KeepEveryChunkOnce()
    {
        var memory = new XdpMemory(2, 2048, 16);
        byte first = memory.Join(out int[] ofFirst), second = memory.Join(out int[] ofSecond);
        Assert.False(memory.HasRoom);
        Assert.Throws<InvalidOperationException>(() => memory.Join(out _));
        Assert.Equal(Enumerable.Range(0, 32), ofFirst.Concat(ofSecond));

        // The first passes three to the second and gives four to the pool, of which the second takes one.
        for (int i = 0; i < 3; i++)
            memory.Pass(ofFirst[i], second);
        memory.Return(ofFirst.AsSpan(3, 4));
        Assert.True(memory.TryTake(second, out int taken));
        Assert.Equal(ofFirst[6], taken);
        Assert.Equal((9, 20, 3), (memory.CountOf(first), memory.CountOf(second), memory.Pooled));

        memory.Leave(first, keepsChunks: false);
        Assert.True(memory.HasRoom);
        Assert.Equal(first, memory.Join(out int[] again));
        Assert.Equal(ofFirst[7..], again);
        Assert.Equal((9, 20, 3), (memory.CountOf(first), memory.CountOf(second), memory.Pooled));

        memory.Leave(first, keepsChunks: true);
        Assert.False(memory.HasRoom);
        Assert.False(memory.IsClosed);
        memory.Leave(second, keepsChunks: false);
        Assert.True(memory.IsClosed);
        Assert.False(memory.HasRoom);
    }

    [Fact]
    public void TryTake_EmptyPool_SaysSo()
    {
        var memory = new XdpMemory(1, 4096, 8);
        byte port = memory.Join(out int[] chunks);
        Assert.False(memory.TryTake(port, out _));
        memory.Return(chunks[2]);
        Assert.True(memory.TryTake(port, out int chunk));
        Assert.Equal(chunks[2], chunk);
        Assert.False(memory.TryTake(port, out _));
        memory.Leave(port, keepsChunks: false);
    }
}
