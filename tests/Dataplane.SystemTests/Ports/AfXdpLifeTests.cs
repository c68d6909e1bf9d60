using System.Diagnostics;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Native.Tests.Packets;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Ports;

/// <summary>What an AF_XDP port leaves behind: nothing, however it ends.</summary>
[Collection(AloneCollection.Name)]
public class AfXdpLifeTests
{
    [PrivilegedFact]
    public void Dispose_ProgramOnTheInterface_IsGone()
    {
        using var home = NetworkNamespace.Create("xdp");
        home.Link("add", "x0", "type", "veth", "peer", "name", "x1");
        home.Link("set", "x0", "up");
        using (AfXdpPortTests.Open("x0", home))
            Assert.Contains("xdp", Show(home, "x0"), StringComparison.Ordinal);
        Assert.DoesNotContain("xdp", Show(home, "x0"), StringComparison.Ordinal);
    }

    [PrivilegedFact]
    public void Open_TwiceOnOneInterface_IsAnErrorThatNamesTheRemedyAndLeavesTheFirstAlone()
    {
        using PortBed bed = AfXdpPortTests.NewBed();
        var error = Assert.Throws<LinuxException>(() => AfXdpPortTests.Open("a0", bed.LeftHome));
        Assert.Equal("EBUSY", error.ErrnoName);
        Assert.Contains("another XDP program is on the interface", error.Message, StringComparison.Ordinal);
        bed.SendFrom(bed.Left, Frames.Numbered(5, 60));
        Assert.Equal(5, Frames.NumberOf(Assert.Single(bed.Collect(bed.Right, 1))));
    }

    [PrivilegedFact]
    public void Open_MissingInterfaceOrQueue_IsAnIoErrorThatSaysWhat()
    {
        var error = Assert.ThrowsAny<IOException>(() => new AfXdpPortFactory("nothere0").Open("wan"));
        Assert.Contains("ioctl(SIOCGIFINDEX) for nothere0 failed: ENODEV", error.Message, StringComparison.Ordinal);
        using var home = NetworkNamespace.Create("xdp");
        home.Link("add", "x0", "type", "veth", "peer", "name", "x1");
        error = Assert.ThrowsAny<IOException>(() => AfXdpPortTests.Open("x0", home, new AfXdpOptions { Queue = 63 }));
        Assert.Contains("bind(AF_XDP) for x0 queue 63 failed: EINVAL", error.Message, StringComparison.Ordinal);
        Assert.Contains("name a queue that the interface has", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("xdp", Show(home, "x0"), StringComparison.Ordinal);
    }

    [SystemTheory("bpftool")]
    [InlineData(1500)]
    [InlineData(9000)]
    public void OpenAndDispose_AgainAndAgain_LeaksNothing(int mtu)
    {
        using var home = NetworkNamespace.Create("xdp");
        home.Link("add", "x0", "mtu", $"{mtu}", "type", "veth", "peer", "name", "x1", "mtu", $"{mtu}");
        home.Link("set", "x0", "up");
        home.Link("set", "x1", "up");
        var options = new AfXdpOptions { RingEntries = 64 };
        void Cycle(int count)
        {
            for (int i = 0; i < count; i++)
            {
                var memories = new AfXdpMemories();
                memories.Expect(2);
                using IPort first = AfXdpPortTests.Open("x0", home, options, memories), second = AfXdpPortTests.Open("x1", home, options, memories);
            }
        }

        Cycle(20);
        int descriptors = Directory.GetFileSystemEntries("/proc/self/fd").Length, regions = CountRings(), programs = CountPrograms(), maps = CountMaps(), threads = CountThreads();
        Cycle(PortCyclesTests.IsForAll ? 1000 : 60);
        Assert.InRange(CountThreads(), 0, threads + 8);
        Assert.InRange(Directory.GetFileSystemEntries("/proc/self/fd").Length, 0, descriptors + 8);
        Assert.Equal(regions, CountRings());
        long end = MonotonicClock.NowNs + 10_000_000_000;
        // The kernel frees programs a grace period after they were taken off; other tests may have some too.
        while ((CountPrograms() > programs + 8 || CountMaps() > maps + 8) && MonotonicClock.NowNs < end)
            Thread.Yield();
        Assert.InRange(CountPrograms(), 0, programs + 8);
        Assert.InRange(CountMaps(), 0, maps + 8);
        Assert.DoesNotContain("xdp", Show(home, "x0"), StringComparison.Ordinal);
    }

    [PrivilegedFact]
    public void Dispose_OnePortOfASharedMemory_TheOtherWorksAndANewOneTakesItsPlace()
    {
        var memories = new AfXdpMemories();
        memories.Expect(2);
        var options = new AfXdpOptions { RingEntries = 64 };
        using var left = NetworkNamespace.Create("left");
        using var right = NetworkNamespace.Create("right");
        NetworkNamespace.Connect(left, "a0", right, "b0");
        NetworkNamespace.Connect(left, "c0", right, "d0");
        using IPort stays = AfXdpPortTests.Open("b0", right, options, memories);
        using var bed = new PortBed(open: (name, home) => PortBed.Open(name, home, 64));
        using IPort far = PortBed.Open("a0", left, 64), farther = PortBed.Open("c0", left, 64);
        int sent = 0;
        for (int round = 0; round < 50; round++)
        {
            using IPort comes = AfXdpPortTests.Open("d0", right, options, memories);
            Assert.Contains("shared memory", ((AfXdpPort)comes).Description, StringComparison.Ordinal);
            for (int i = 0; i < 200; i++)
            {
                bed.SendFrom(far, Frames.Numbered(++sent, 90));
                Assert.True(bed.WaitReadable(stays));
                PacketBatch batch = bed.NewBatch();
                Assert.Equal(1, stays.Receive(batch));
                Assert.Equal(sent, Frames.NumberOf(batch.Frame(0)));
                Assert.Equal(1, comes.Transmit(batch, [0]));
                comes.Flush();
                stays.Release(batch);
                comes.Receive(bed.NewBatch());
            }

            Assert.Equal(200, bed.Collect(farther, 200).Count);
        }

        stays.ReadStatistics(out PortStatistics statistics);
        Assert.Equal((10_000, 0, 0), (statistics.ReceivedPackets, statistics.KernelDrops, statistics.Errors));
    }

    private static string Show(NetworkNamespace home, string name) => home.Execute("ip", "link", "show", name);

    private static int CountRings() => File.ReadLines("/proc/self/maps").Count(line => line.Contains("anon_inode:[xsk", StringComparison.Ordinal) || line.Contains("socket:", StringComparison.Ordinal));

    private static int CountThreads() => Directory.GetFileSystemEntries("/proc/self/task").Length;

    private static int CountPrograms() => Count("prog", "dataplane_xdp");

    private static int CountMaps() => Count("map", "dataplane_xsk");

    private static int Count(string kind, string name)
    {
        using Process tool = Process.Start(new ProcessStartInfo("bpftool", [kind, "show", "name", name]) { RedirectStandardOutput = true })!;
        string text = tool.StandardOutput.ReadToEnd();
        tool.WaitForExit();
        return text.Split("name " + name).Length - 1;
    }
}
