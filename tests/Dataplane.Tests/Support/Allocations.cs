namespace Dataplane.Tests.Support;

/// <summary>Proves that a piece of code allocates nothing on its thread.</summary>
internal static class Allocations
{
    /// <summary>Runs the code <paramref name="times"/> times and fails when that allocated.</summary>
    /// <remarks>
    /// While a method is still being recompiled for speed, the compiler may allocate on this thread, once. So there are up to ten
    /// attempts, of which one has to be free of allocations: code that allocates by itself never has such an attempt.
    /// </remarks>
    internal static void AssertNone(int times, Action run)
    {
        run();
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 10 && least > 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < times; i++)
                run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(least == 0, $"{least} bytes were allocated in {times} rounds");
    }
}
