using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Native.Tests.Packets;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.SystemTests.Ports;

public class TapPortTests
{
    [PrivilegedFact]
    public void ReceiveAndTransmit_AgainstTheKernelsEnd_PassFramesBothWays()
    {
        using var home = NetworkNamespace.Create("tap");
        using IPort tap = Open(home);
        using IPort kernel = PortBed.Open("dptap0", home, slots: 256);
        using var bed = new PortBed();

        byte[][] frames = [.. Enumerable.Range(0, 100).Select(i => Frames.Numbered(i, 60 + (i * 14)))];
        bed.SendFrom(tap, frames);
        Assert.Equal(frames, Numbered(bed.Collect(kernel, 100)));
        bed.SendFrom(kernel, frames);
        var received = new List<byte[]>();
        while (received.Count < 100)
            received.AddRange(Numbered(bed.Collect(tap, 1)));
        Assert.Equal(frames, received);

        tap.ReadStatistics(out PortStatistics statistics);
        Assert.Equal(100, statistics.TransmittedPackets);
        Assert.True(statistics.ReceivedPackets >= 100);
        Assert.Equal((0, 0), (statistics.TransmitRefused, statistics.Errors));
    }

    [PrivilegedFact]
    public void Open_NewDevice_HasAnotherAddressThanTheKernelsEnd()
    {
        using var home = NetworkNamespace.Create("tap");
        using IPort tap = Open(home);
        ulong kernels = NetworkInterfaceInfo.TryRead("dptap0", home.Name)!.HardwareAddress;
        Assert.NotEqual(kernels, tap.Mac.Bits);
        Assert.True(tap.Mac.IsUnicast && tap.Mac.IsLocallyAdministered);
        Assert.Equal((1500, LinkState.Up), (tap.Mtu, tap.Link));
    }

    [PrivilegedFact]
    public void Receive_MtuRaisedBehindOurBack_CountsFramesThatWereCut()
    {
        using var home = NetworkNamespace.Create("tap");
        using IPort tap = Open(home);
        home.Link("set", "dptap0", "mtu", "3000");
        using IPort kernel = PortBed.Open("dptap0", home, slots: 256);
        using var bed = new PortBed();
        bed.SendFrom(kernel, Frames.Numbered(1, 1518), Frames.Numbered(2, 1519), Frames.Numbered(3, 2000), Frames.Numbered(4, 60));
        Assert.Equal([1, 4], Numbered(bed.Collect(tap, 2)).Select(f => Frames.NumberOf(f)));
        tap.ReadStatistics(out PortStatistics statistics);
        Assert.Equal(2, statistics.Errors);
    }

    [PrivilegedFact]
    public void Transmit_InterfaceDown_DropsWithLinkDown()
    {
        using var home = NetworkNamespace.Create("tap");
        using IPort tap = Open(home);
        home.Link("set", "dptap0", "down");
        using var bed = new PortBed();
        PacketBatch batch = bed.NewBatch();
        bed.AddFrame(batch, Frames.Numbered(1, 60));
        bed.AddFrame(batch, new byte[1519]);
        Assert.Equal(0, tap.Transmit(batch, [0, 1]));
        Assert.Equal((DropReason.LinkDown, DropReason.FrameTooLong), (batch.ReasonOf(0), batch.ReasonOf(1)));
        tap.ReadStatistics(out PortStatistics statistics);
        Assert.Equal(2, statistics.TransmitRefused);
        Assert.Equal(LinkState.Down, bed.AwaitLink(tap, LinkState.Down));
    }

    [PrivilegedFact]
    public void Forward_TenThousandBatches_AllocatesNothing()
    {
        using var home = NetworkNamespace.Create("tap");
        using IPort tap = Open(home);
        using var bed = new PortBed();
        PacketBatch source = bed.NewBatch();
        bed.AddFrame(source, Frames.Numbered(1, 64));
        short[] all = [0];
        var batch = new PacketBatch();
        long Run(int batches)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < batches; i++)
            {
                tap.Transmit(source, all);
                tap.Flush();
                batch.Clear(new PortId(0), 0);
                tap.Receive(batch);
                tap.Release(batch);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Run(500);
        Assert.Equal(0, Run(10_000));
    }

    private static IPort Open(NetworkNamespace home) => new TapPortFactory("dptap0") { Options = new TapOptions { NetworkNamespace = home.Name } }.Open("tap");

    // The kernel sends a little of its own on a fresh interface (multicast reports).
    private static IEnumerable<byte[]> Numbered(IEnumerable<byte[]> frames) => frames.Where(f => Frames.IsNumbered(f));
}
