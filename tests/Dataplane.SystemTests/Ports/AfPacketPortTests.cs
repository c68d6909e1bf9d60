using System.Net.Sockets;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Native.Tests.Packets;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.SystemTests.Ports;

public class AfPacketPortTests
{
    private const int OnLeft = 0, OnRight = 1;

    [PrivilegedFact]
    public void Transmit_BatchOfOneInterface_ArrivesOnTheOther()
    {
        using var bed = new PortBed();
        for (int round = 0; round < 20; round++)
        {
            PacketBatch batch = bed.NewBatch();
            for (int i = 0; i < 100; i++)
                bed.AddFrame(batch, Frames.Numbered((round * 100) + i, 60 + (i * 14)));
            Assert.Equal(100, bed.Left.Transmit(batch, PortBed.AllOf(batch)));
            bed.Left.Flush();
            Assert.Equal(Enumerable.Range(round * 100, 100), bed.Collect(bed.Right, 100).Select(f => Frames.NumberOf(f)));
        }

        bed.Left.ReadStatistics(out PortStatistics left);
        bed.Right.ReadStatistics(out PortStatistics right);
        Assert.Equal((2000, 2000), (left.TransmittedPackets, right.ReceivedPackets));
        Assert.Equal(left.TransmittedBytes, right.ReceivedBytes);
        Assert.Equal((0, 0, 0, 0), (left.TransmitRefused, left.Errors, right.KernelDrops, right.Errors));
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots, 1)]
    [InlineData(AfPacketRing.Blocks, 2)]
    public void Open_ByConfiguration_HasTheRingThatItNames(AfPacketRing ring, int version)
    {
        // SOL_PACKET and PACKET_VERSION of linux/if_packet.h; TPACKET_V2 is 1, TPACKET_V3 is 2.
        const int Level = 263, Option = 10;
        using var home = NetworkNamespace.Create("ring");
        home.Link("add", "r0", "type", "veth", "peer", "name", "r1");
        using IPort port = NamespaceThread.Run(home.Name, () => new PortOpener().Open(new PortSpec { Name = "p", Kind = PortKind.AfPacket, Interface = "r0", Ring = ring }));
        using var handle = new SafeSocketHandle(port.PollDescriptor!.Number, ownsHandle: false);
        using var socket = new Socket(handle);
        byte[] answer = new byte[sizeof(int)];
        socket.GetRawSocketOption(Level, Option, answer);
        Assert.Equal(version, BitConverter.ToInt32(answer));
    }

    [PrivilegedFact]
    public void Receive_ThenTransmitFromTheRing_SendsFramesBackRewritten()
    {
        using var bed = new PortBed();
        bed.SendFrom(bed.Left, Frames.Numbered(1, 100), Frames.Numbered(2, 1514));
        PacketBatch batch = bed.NewBatch();
        bed.WaitReadable(bed.Right);
        while (batch.Count < 2)
            bed.Right.Receive(batch);
        for (int i = 0; i < 2; i++)
            batch.Frame(i)[14..18].Fill(0xAB);
        Assert.Equal(2, bed.Right.Transmit(batch, [1, 0]));
        bed.Right.Flush();
        bed.Right.Release(batch);
        List<byte[]> received = bed.Collect(bed.Left, 2);
        Assert.Equal([1514, 100], received.Select(f => f.Length));
        Assert.All(received, f => Assert.Equal([0xAB, 0xAB, 0xAB, 0xAB], f[14..18]));
    }

    [PrivilegedFact]
    public void Open_OnVeth_TellsAddressMtuAndLink()
    {
        using var bed = new PortBed();
        NetworkInterfaceInfo info = NetworkInterfaceInfo.TryRead("a0", bed.LeftHome.Name)!;
        Assert.Equal(info.HardwareAddress, bed.Left.Mac.Bits);
        Assert.Equal(1500, bed.Left.Mtu);
        Assert.Equal(LinkState.Up, bed.Left.Link);
        using IPort given = new AfPacketPortFactory("a0")
        {
            Mac = MacAddress.Parse("02:00:00:00:00:77"),
            Mtu = 1400,
            ReceiveOptions = new AfPacketReceiveOptions { NetworkNamespace = bed.LeftHome.Name },
            TransmitOptions = new AfPacketTransmitOptions { NetworkNamespace = bed.LeftHome.Name },
        }.Open("given");
        Assert.Equal((MacAddress.Parse("02:00:00:00:00:77"), 1400), (given.Mac, given.Mtu));
    }

    [PrivilegedFact]
    public void Transmit_TooLongAndTooShort_AreRefusedAloneWithTheReason()
    {
        using var bed = new PortBed();
        PacketBatch batch = bed.NewBatch();
        int[] lengths = [60, 1519, 60, 13, 1518];
        for (int i = 0; i < lengths.Length; i++)
            bed.AddFrame(batch, lengths[i] < 18 ? new byte[lengths[i]] : Frames.Numbered(i, lengths[i]));
        Assert.Equal(3, bed.Left.Transmit(batch, PortBed.AllOf(batch)));
        bed.Left.Flush();
        Assert.Equal([1, 3], Enumerable.Range(0, 5).Where(i => batch.ReasonOf(i) == DropReason.FrameTooLong));
        Assert.Equal([0, 2, 4], Enumerable.Range(0, 5).Where(i => batch.ReasonOf(i) == DropReason.None));
        Assert.Equal([0, 2, 4], bed.Collect(bed.Right, 3).Select(f => Frames.NumberOf(f)));
        bed.Left.ReadStatistics(out PortStatistics statistics);
        Assert.Equal(2, statistics.TransmitRefused);
    }

    [PrivilegedFact]
    public void Transmit_MoreThanTheRingAtOnce_IsPassedOnInBetween()
    {
        using var bed = new PortBed(slots: 64);
        PacketBatch batch = bed.NewBatch();
        for (int i = 0; i < 256; i++)
            bed.AddFrame(batch, Frames.Numbered(i, 60));
        Assert.Equal(256, bed.Left.Transmit(batch, PortBed.AllOf(batch)));
        bed.Left.Flush();
        Assert.Equal(Enumerable.Range(0, 256), bed.Collect(bed.Right, 256).Select(f => Frames.NumberOf(f)));
    }

    [PrivilegedFact]
    public void Transmit_QueueOfTheDeviceFull_RefusesTheRestAndGivesUpInTheEnd()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice tap = TapDevice.Open("dptap0", new TapOptions { NetworkNamespace = home.Name });
        using IPort port = PortBed.Open("dptap0", home, slots: 1024);
        using var bed = new PortBed();
        int accepted = 0, offered = 0;
        PacketBatch batch;
        do
        {
            batch = bed.NewBatch();
            for (int i = 0; i < 256; i++)
                bed.AddFrame(batch, Frames.Numbered(offered++, 60));
            accepted += port.Transmit(batch, PortBed.AllOf(batch));
            port.Flush();
        }
        while (batch.ReasonOf(255) == DropReason.None);

        Assert.InRange(accepted, 1, offered - 1);
        Assert.Equal(DropReason.TransmitRingFull, batch.ReasonOf(255));

        // Nobody reads: what waits in the ring is given up after a while, and counted.
        PortStatistics statistics;
        long end = MonotonicClock.NowNs + 10_000_000_000;
        do
        {
            port.Flush();
            port.ReadStatistics(out statistics);
        }
        while (statistics.TransmitLost == 0 && MonotonicClock.NowNs < end);
        Assert.True(statistics.TransmitLost > 0);
        Assert.Equal(offered - accepted, statistics.TransmitRefused);

        // And told once, by name.
        Assert.Equal(statistics.TransmitLost, port.TakeWithdrawn(isEnd: false, out DropReason reason));
        Assert.Equal((DropReason.TransmitRingFull, 0), (reason, port.TakeWithdrawn(isEnd: false, out _)));

        // Once somebody reads, what was not given up has passed, and new frames pass.
        byte[] buffer = new byte[2000];
        int read = 0;
        for (int length; (length = tap.Read(buffer)) > 0;)
            read += Frames.IsNumbered(buffer.AsSpan(0, length)) ? 1 : 0;
        Assert.Equal(offered, read + statistics.TransmitRefused + statistics.TransmitLost);
        bed.SendFrom(port, Frames.Numbered(77, 60));
        Assert.Equal(77, ReadNumbered(tap, buffer));
    }

    [PrivilegedFact]
    public void Link_DownUpAndDeleted_RefusesWithLinkDownAndRecovers()
    {
        using var bed = new PortBed();
        bed.LeftHome.Link("set", "a0", "down");
        Assert.Equal(LinkState.Down, bed.AwaitLink(bed.Left, LinkState.Down));
        PacketBatch batch = bed.NewBatch();
        bed.AddFrame(batch, Frames.Numbered(1, 60));
        Assert.Equal(0, bed.Left.Transmit(batch, [0]));
        Assert.Equal(DropReason.LinkDown, batch.ReasonOf(0));

        bed.LeftHome.Link("set", "a0", "up");
        Assert.Equal(LinkState.Up, bed.AwaitLink(bed.Left, LinkState.Up));
        bed.SendFrom(bed.Left, Frames.Numbered(2, 60));
        Assert.Equal(2, Frames.NumberOf(Assert.Single(bed.Collect(bed.Right, 1))));

        bed.LeftHome.Link("del", "a0");
        Assert.Equal(LinkState.Gone, bed.AwaitLink(bed.Left, LinkState.Gone));
        Assert.Equal(LinkState.Gone, bed.AwaitLink(bed.Right, LinkState.Gone));
        Assert.Equal(0, bed.Left.Receive(bed.NewBatch()));
        batch = bed.NewBatch();
        bed.AddFrame(batch, Frames.Numbered(1, 60));
        Assert.Equal(0, bed.Left.Transmit(batch, [0]));
        bed.Left.Flush();
    }

    [PrivilegedFact]
    public void PollDescriptor_InterfaceWentDown_ErrorIsTakenByReceiving()
    {
        using var bed = new PortBed();
        bed.RightHome.Link("set", "b0", "down");
        Assert.True(IsInError(bed.Right));
        PacketBatch batch = bed.NewBatch();
        long end = MonotonicClock.NowNs + 10_000_000_000;
        while (IsInError(bed.Right) && MonotonicClock.NowNs < end)
            bed.Right.Receive(batch);
        Assert.False(IsInError(bed.Right));
    }

    [PrivilegedFact]
    public void Forward_TenThousandBatches_AllocatesNothing()
    {
        using var bed = new PortBed();
        PacketBatch source = bed.NewBatch();
        for (int i = 0; i < 4; i++)
            bed.AddFrame(source, Frames.Numbered(i, 64));
        short[] all = PortBed.AllOf(source), received = [.. Enumerable.Range(0, PacketBatch.Capacity).Select(i => (short)i)];
        var batch = new PacketBatch();
        long Run(int batches)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < batches; i++)
            {
                bed.Left.Transmit(source, all);
                bed.Left.Flush();
                batch.Clear(new PortId(OnRight), 0);
                int count = bed.Right.Receive(batch);
                bed.Right.Transmit(batch, received.AsSpan(0, count));
                bed.Right.Flush();
                bed.Right.Release(batch);
                batch.Clear(new PortId(OnLeft), 0);
                bed.Left.Receive(batch);
                bed.Left.Release(batch);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Run(500);
        Assert.Equal(0, Run(10_000));
        bed.Left.ReadStatistics(out PortStatistics statistics);
        Assert.True(statistics.ReceivedPackets > 0);
    }

    [PrivilegedFact]
    public void Open_MissingInterface_IsAnIoErrorThatSaysWhat()
    {
        var error = Assert.ThrowsAny<IOException>(() => new AfPacketPortFactory("nothere0").Open("wan"));
        Assert.Contains("ioctl(SIOCGIFINDEX) for nothere0 failed: ENODEV", error.Message, StringComparison.Ordinal);
    }

    private static bool IsInError(IPort port)
    {
        using var wake = new EventDescriptor();
        using var poller = new Poller([port.PollDescriptor!], wake);
        poller.Wait(0);
        return poller.HasError(0);
    }

    private static int ReadNumbered(TapDevice tap, byte[] buffer)
    {
        for (int length; (length = tap.Read(buffer)) > 0;)
        {
            if (Frames.IsNumbered(buffer.AsSpan(0, length)))
                return Frames.NumberOf(buffer);
        }

        return -1;
    }
}
