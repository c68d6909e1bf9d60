namespace Dataplane.Native.Tests;

public class PollerTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void Drain_AfterSignals_CountsThemOnce()
    {
        using var wake = new EventDescriptor();
        Assert.Equal(0, wake.Drain());
        wake.Signal();
        wake.Signal();
        Assert.Equal(2, wake.Drain());
        Assert.Equal(0, wake.Drain());
    }

    [Fact]
    public void Signal_AfterDispose_DoesNothing()
    {
        var wake = new EventDescriptor();
        wake.Dispose();
        wake.Signal();
        Assert.True(wake.Descriptor.IsClosed);
    }

    [Fact]
    public void Wait_NothingReady_EndsWhenTimeIsUp()
    {
        using var wake = new EventDescriptor();
        using var poller = new Poller([], wake);
        long start = MonotonicClock.NowNs;
        Assert.Equal(0, poller.Wait(3_000_000));
        Assert.False(poller.Woken);
        Assert.True(MonotonicClock.NowNs - start >= 3_000_000);
    }

    [Fact]
    public void Wait_SignalPending_EndsWokenAndDrained()
    {
        using var wake = new EventDescriptor();
        using var poller = new Poller([], wake);
        wake.Signal();
        Assert.Equal(0, poller.Wait(-1));
        Assert.True(poller.Woken);
        Assert.Equal(0, wake.Drain());
        Assert.Equal(0, poller.Wait(0));
        Assert.False(poller.Woken);
    }

    [Fact]
    public void Wait_SignalFromAnotherThread_Ends()
    {
        using var wake = new EventDescriptor();
        using var poller = new Poller([], wake);
        var signaller = new Thread(wake.Signal);
        signaller.Start();
        while (!poller.Woken)
            poller.Wait(30 * Second);
        signaller.Join();
        Assert.True(poller.Woken);
    }

    [Fact]
    public void Wait_OneOfTwoReadable_NamesIt()
    {
        using var wake = new EventDescriptor();
        using var quiet = new EventDescriptor();
        using var ready = new EventDescriptor();
        using var poller = new Poller([quiet.Descriptor, ready.Descriptor], wake);
        Assert.Equal(2, poller.Count);
        ready.Signal();
        Assert.Equal(1, poller.Wait(-1));
        Assert.False(poller.IsReadable(0));
        Assert.True(poller.IsReadable(1));
        Assert.False(poller.HasError(1));
        ready.Drain();
        Assert.Equal(0, poller.Wait(0));
        Assert.False(poller.IsReadable(1));
    }

    [PrivilegedFact]
    public void Wait_DescriptorInErrorForGood_IsReportedOnceAWhile()
    {
        using var home = NetworkNamespace.Create("poll");
        using var tap = TapDevice.Open("dptap0", new TapOptions { NetworkNamespace = home.Name });
        using var wake = new EventDescriptor();
        using var ready = new EventDescriptor();
        using var poller = new Poller([tap.Descriptor, ready.Descriptor], wake);
        home.Link("del", "dptap0");
        for (int round = 0; round < 3; round++)
        {
            long start = MonotonicClock.NowNs;
            while (poller.Wait(-1) == 0)
            {
            }

            Assert.True(poller.HasError(0));
            Assert.True(round == 0 || MonotonicClock.NowNs - start >= Poller.MuteNs / 2);

            // The others are watched meanwhile.
            Assert.Equal(0, poller.Wait(0));
            Assert.False(poller.HasError(0));
            ready.Signal();
            Assert.Equal(1, poller.Wait(-1));
            Assert.True(poller.IsReadable(1));
            ready.Drain();
        }
    }

    [Fact]
    public void Dispose_DescriptorDisposedBefore_ClosesIt()
    {
        using var wake = new EventDescriptor();
        var watched = new EventDescriptor();
        var poller = new Poller([watched.Descriptor], wake);
        string identity = ProcessResources.EventIdentity(watched);
        watched.Dispose();
        Assert.Contains(identity, ProcessResources.EventIdentities());
        poller.Dispose();
        poller.Dispose();
        Assert.DoesNotContain(identity, ProcessResources.EventIdentities());
        Assert.Throws<ObjectDisposedException>(() => poller.Wait(0));
    }

    [Fact]
    public void Constructor_ClosedDescriptor_HoldsNothing()
    {
        using var wake = new EventDescriptor();
        var open = new EventDescriptor();
        var closed = new EventDescriptor();
        closed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => new Poller([open.Descriptor, closed.Descriptor], wake));
        string identity = ProcessResources.EventIdentity(open);
        Assert.Contains(identity, ProcessResources.EventIdentities());
        open.Dispose();
        Assert.DoesNotContain(identity, ProcessResources.EventIdentities());
    }

    [Fact]
    public void Wait_TenThousandTimes_AllocatesNothing()
    {
        using var wake = new EventDescriptor();
        using var poller = new Poller([wake.Descriptor], wake);
        long Run(int count)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < count; i++)
            {
                wake.Signal();
                poller.Wait(0);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Run(100);
        Assert.Equal(0, Run(10_000));
    }
}
