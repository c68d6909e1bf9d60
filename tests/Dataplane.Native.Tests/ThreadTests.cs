namespace Dataplane.Native.Tests;

public class ThreadTests
{
    [Fact]
    public void Pin_OneProcessor_IsTheOnlyOneAllowed()
    {
        int[] before = ThreadAffinity.Allowed();
        int[] after = OnOwnThread(() =>
        {
            ThreadAffinity.Pin(before[^1]);
            return ThreadAffinity.Allowed();
        });
        Assert.Equal([before[^1]], after);
        Assert.Equal(before, ThreadAffinity.Allowed());
    }

    [Fact]
    public void Pin_NoSuchProcessor_NamesIt()
    {
        var error = OnOwnThread(() => Assert.Throws<LinuxException>(() => ThreadAffinity.Pin(1023)));
        Assert.Contains("sched_setaffinity for cpu 1023 failed: EINVAL", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => ThreadAffinity.Pin(1024));
        Assert.Throws<ArgumentOutOfRangeException>(() => ThreadAffinity.Pin(-1));
    }

    [Fact]
    public void Current_TwoThreads_Differ() => Assert.NotEqual(ThreadId.Current, OnOwnThread(() => ThreadId.Current));

    [Fact]
    public void Current_OfThisThread_IsInProc() => Assert.True(Directory.Exists($"/proc/self/task/{ThreadId.Current}"));

    [Fact]
    public void NowNs_ReadManyTimes_NeverGoesBack()
    {
        long last = MonotonicClock.NowNs;
        for (int i = 0; i < 100_000; i++)
        {
            long now = MonotonicClock.NowNs;
            Assert.True(now >= last);
            last = now;
        }
    }

    private static T OnOwnThread<T>(Func<T> body)
    {
        T result = default!;
        var thread = new Thread(() => result = body());
        thread.Start();
        thread.Join();
        return result;
    }
}
