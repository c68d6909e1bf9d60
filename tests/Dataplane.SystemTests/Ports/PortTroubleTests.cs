using System.Net.Sockets;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Native.Tests.Packets;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Ports;

/// <summary>What ports find when they are opened: an interface that is down, a name that another device has, a place where no socket can be made.</summary>
public sealed class PortTroubleTests
{
    [SystemTheory]
    [InlineData(PortKind.AfPacket)]
    [InlineData(PortKind.AfXdp)]
    public void Open_InterfaceIsDown_IsAStateAndCarriesFramesOnceItIsUp(PortKind kind)
    {
        using var home = NetworkNamespace.Create("down");
        home.Link("add", "n0", "type", "veth", "peer", "name", "n1");
        home.Link("set", "n1", "up");
        using IPort port = kind == PortKind.AfXdp ? AfXdpPortTests.Open("n0", home) : PortBed.Open("n0", home, slots: 64);
        using IPort far = PortBed.Open("n1", home, slots: 64);
        Assert.Equal(LinkState.Down, port.Link);
        home.Link("set", "n0", "up");
        using var bed = new PortBed();
        Assert.Equal(LinkState.Up, bed.AwaitLink(port, LinkState.Up));
        Assert.Equal(LinkState.Up, bed.AwaitLink(far, LinkState.Up));
        bed.SendFrom(port, Frames.Numbered(41, 60));
        Assert.Contains(bed.Collect(far, 1), frame => Frames.IsNumbered(frame) && Frames.NumberOf(frame) == 41);
        bed.SendFrom(far, Frames.Numbered(42, 60));
        Assert.Contains(bed.Collect(port, 1), frame => Frames.IsNumbered(frame) && Frames.NumberOf(frame) == 42);
    }

    [SystemFact]
    public void Open_TapWithTheNameOfAnotherDevice_IsAnErrorThatNamesItAndLeavesTheDeviceAlone()
    {
        using var home = NetworkNamespace.Create("taken");
        home.Link("add", "taken0", "type", "veth", "peer", "name", "taken1");
        var error = Assert.ThrowsAny<IOException>(() => new TapPortFactory("taken0") { Options = new TapOptions { NetworkNamespace = home.Name } }.Open("p"));
        Assert.Contains("taken0", error.Message, StringComparison.Ordinal);
        Assert.Contains("EINVAL", error.Message, StringComparison.Ordinal);
        Assert.Contains("veth", home.Execute("ip", "-d", "link", "show", "taken0"), StringComparison.Ordinal);
    }

    [SystemFact]
    public void Open_ServerWhereNoSocketCanBeMade_IsAnErrorThatNamesThePath()
    {
        const string Path = "/proc/self/nowhere.sock";
        var memif = Assert.ThrowsAny<IOException>(() => new MemifPortFactory(Path, 0, PortRole.Server).Open("p"));
        Assert.Contains(Path, memif.Message, StringComparison.Ordinal);
        var stream = Assert.ThrowsAny<IOException>(() => new StreamPortFactory(new UnixDomainSocketEndPoint(Path), PortRole.Server).Open("p"));
        Assert.Contains(Path, stream.Message, StringComparison.Ordinal);
    }

    [SystemFact("ethtool")]
    public void Queues_TakenAwayUnderAnOpenPort_AreRefusedByTheKernelAndThePortGoesOn()
    {
        using var home = NetworkNamespace.Create("channels");
        home.Link("add", "n0", "numrxqueues", "2", "numtxqueues", "2", "type", "veth", "peer", "name", "n1", "numrxqueues", "2", "numtxqueues", "2");
        home.Link("set", "n0", "up");
        home.Link("set", "n1", "up");
        var memories = new AfXdpMemories();
        memories.Expect(2);
        IQueueFactory factory = new AfXdpPortFactory("n0") { Options = new AfXdpOptions { NetworkNamespace = home.Name, RingEntries = 64 } };
        using IQueuedPort port = factory.OpenQueues("p", [0, 1], _ => memories);
        Assert.Equal(2, port.ReadQueues().Count);

        // Sockets are bound to the queues (net/ethtool/channels.c): nobody takes them away before the port is closed.
        Assert.Throws<InvalidOperationException>(() => home.Execute("ethtool", "-L", "n0", "rx", "1", "tx", "1"));
        using IPort far = PortBed.Open("n1", home, slots: 64);
        using var bed = AfXdpPortTests.NewBed(memories: memories);
        for (int queue = 0; queue < 2; queue++)
        {
            bed.SendFrom(port.PartOf(queue)!, Frames.Numbered(51 + queue, 60));
            Assert.Contains(bed.Collect(far, 1), frame => Frames.IsNumbered(frame) && Frames.NumberOf(frame) == 51 + queue);
        }
    }
}
