namespace Dataplane.Native.Tests.Packets;

public class AfPacketTests
{
    private const long Second = 1_000_000_000;

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void Receive_FramesFromTransmitter_AreTheSameInOrder(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        int[] sizes = [60, 64, 65, 100, 590, 1514, 1518, 60];
        var received = new List<byte[]>();
        for (int i = 0; i < 3000; i++)
        {
            bed.Send(Frames.Numbered(i, sizes[i % sizes.Length]));
            if (i % 250 == 249)
                received.AddRange(bed.Collect(250));
        }

        Assert.Equal(3000, received.Count);
        for (int i = 0; i < received.Count; i++)
            Assert.Equal(Frames.Numbered(i, sizes[i % sizes.Length]), received[i]);

        AfPacketReceiveStatistics rx = bed.Receiver.ReadStatistics();
        AfPacketTransmitStatistics tx = bed.Transmitter.ReadStatistics();
        Assert.Equal(3000, rx.Frames);
        Assert.Equal(received.Sum(f => (long)f.Length), rx.Bytes);
        Assert.Equal(rx.Bytes, tx.SubmittedBytes);
        Assert.Equal((0, 0, 0), (rx.KernelDrops, rx.Malformed, rx.Oversized));
        Assert.Equal((3000, 3000, 0), (tx.SubmittedFrames, tx.SentFrames, tx.RejectedFrames));
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void Receive_LittleRoom_ContinuesWhereItStoppedAndKeepsHeadroom(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        for (int i = 0; i < 100; i++)
            bed.Send(Frames.Numbered(i, 200));
        int next = 0;
        int[] offsets = new int[7], lengths = new int[7];
        while (next < 100)
        {
            Assert.True(bed.WaitReadable());
            int count = bed.Receiver.Receive(offsets, lengths);
            for (int i = 0; i < count; i++)
            {
                Assert.Equal(Frames.Numbered(next++, 200), bed.Receiver.Region.Span.Slice(offsets[i], lengths[i]).ToArray());
                // All 64 bytes in front are ours; writing them must not disturb what follows.
                bed.Receiver.Region.Span.Slice(offsets[i] - 64, 64).Fill(0xEE);
                bed.Receiver.Region.Span.Slice(offsets[i], lengths[i]).Fill(0xEE);
            }

            bed.Receiver.ReleaseReceived();
        }

        Assert.Equal(0, bed.Receiver.ReadStatistics().Malformed);
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void Receive_NothingReleased_StopsAtTheRingsEndAndCountsDrops(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring, BlockBytes = 128 << 10, BlockCount = 2 });
        int[] offsets = new int[256], lengths = new int[256];
        var seen = new HashSet<int>();
        for (int i = 0; i < 3000; i++)
            bed.Send(Frames.Numbered(i, 300));
        while (bed.WaitReadable(20_000_000))
        {
            int count = bed.Receiver.Receive(offsets, lengths);
            if (count == 0)
                break;
            for (int i = 0; i < count; i++)
                Assert.True(seen.Add(Frames.NumberOf(bed.Receiver.Region.Span.Slice(offsets[i], lengths[i]))));
        }

        AfPacketReceiveStatistics rx = bed.Receiver.ReadStatistics();
        Assert.Equal(3000, seen.Count + rx.KernelDrops);
        Assert.True(rx.KernelDrops > 0);
        Assert.Equal(ring == AfPacketRing.Blocks, rx.KernelFreezes > 0);
        // The counters are sums although the kernel forgets its own at every reading.
        Assert.Equal(rx, bed.Receiver.ReadStatistics());

        bed.Receiver.ReleaseReceived();
        bed.Send(Frames.Numbered(5000, 300));
        Assert.Equal(5000, Frames.NumberOf(Assert.Single(bed.Collect(1))));
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void Receive_OwnTransmissions_AreNotSeen(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        using var sameSide = AfPacketReceiver.Open("a0", new AfPacketReceiveOptions { Ring = ring, NetworkNamespace = bed.Left.Name });
        for (int i = 0; i < 100; i++)
            bed.Send(Frames.Numbered(i, 100));
        Assert.Equal(100, bed.Collect(100).Count);
        Assert.Equal(0, sameSide.Receive(new int[8], new int[8]));
        Assert.Equal(0, sameSide.ReadStatistics().KernelDrops);
    }

    // The kernel keeps them whole in the socket's queue, in the order of their slots.
    [PrivilegedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Receive_FramesLongerThanASlot_AreFetchedInTheirOrder(bool isTagged)
    {
        using var bed = new PacketBed(transmit: new AfPacketTransmitOptions { MaxFrameBytes = 9018 });
        bed.Left.Link("set", "a0", "mtu", "9000");
        bed.Right.Link("set", "b0", "mtu", "9000");
        int[] sizes = [100, 9000, 60, 1515, 4000, 1514, 9014];
        var sent = new List<byte[]>();
        var received = new List<byte[]>();
        for (int i = 0; i < 490; i++)
        {
            byte[] frame = Frames.Numbered(i, sizes[i % sizes.Length]);
            sent.Add(isTagged && frame.Length > 60 ? [.. frame[..12], 0x81, 0x00, 0x20, 5, .. frame[12..]] : frame);
            bed.Send(sent[^1]);
            if (i % 70 == 69)
                received.AddRange(bed.Collect(70));
        }

        Assert.Equal(sent.Count, received.Count);
        for (int i = 0; i < sent.Count; i++)
            Assert.Equal(sent[i], received[i]);
        AfPacketReceiveStatistics rx = bed.Receiver.ReadStatistics();
        Assert.Equal((0, 0, 0), (rx.KernelDrops, rx.Malformed, rx.Oversized));
    }

    [PrivilegedFact]
    public void Receive_LongFramesBeyondTheSocketsBuffer_AreCountedAsTheKernelsDrops()
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { BlockCount = 2 }, new AfPacketTransmitOptions { MaxFrameBytes = 9018 });
        bed.Left.Link("set", "a0", "mtu", "9000");
        bed.Right.Link("set", "b0", "mtu", "9000");
        for (int i = 0; i < 150; i++)
            bed.Send(Frames.Numbered(i, i % 10 == 9 ? 60 : 9000));
        List<byte[]> received = bed.Collect(150 - 1);
        AfPacketReceiveStatistics rx = bed.Receiver.ReadStatistics();
        Assert.True(rx.KernelDrops > 0, $"{rx}");
        Assert.Equal(150, received.Count + rx.KernelDrops);
        int[] numbers = [.. received.Select(f => Frames.NumberOf(f))];
        Assert.Equal(numbers.Order(), numbers);
        Assert.All(received, f => Assert.Equal(Frames.Numbered(Frames.NumberOf(f), f.Length), f));
        Assert.Equal(15, received.Count(f => f.Length == 60));
    }

    // The kernel takes the outer tag out of every frame it receives and keeps it beside (skb_vlan_untag).
    [PrivilegedTheory]
    [InlineData(0x8100, 0x0FFF, AfPacketRing.Slots)]
    [InlineData(0x8100, 0xE001, AfPacketRing.Slots)]
    [InlineData(0x88A8, 0x3005, AfPacketRing.Slots)]
    [InlineData(0x8100, 0x0FFF, AfPacketRing.Blocks)]
    [InlineData(0x8100, 0xE001, AfPacketRing.Blocks)]
    [InlineData(0x88A8, 0x3005, AfPacketRing.Blocks)]
    public void Receive_VlanTag_IsBackInTheFrame(int type, int control, AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        byte[] plain = Frames.Numbered(1, 100);
        byte[] tagged = [.. plain[..12], (byte)(type >> 8), (byte)type, (byte)(control >> 8), (byte)control, .. plain[12..]];
        bed.Send(tagged);
        Assert.Equal(tagged, Assert.Single(bed.Collect(1)));
        Assert.Equal(1, bed.Receiver.ReadStatistics().VlanTagsRestored);
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void Receive_TaggedTwice_HasBothTags(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        byte[] inner = Frames.Numbered(1, 100);
        byte[] frame = [.. inner[..12], 0x88, 0xA8, 0x20, 5, 0x81, 0x00, 0x60, 9, .. inner[12..]];
        bed.Send(frame);
        Assert.Equal(frame, Assert.Single(bed.Collect(1)));
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void State_InterfaceDownUpAndDeleted_IsReported(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        Assert.Equal(InterfaceState.Up, bed.Receiver.State);
        bed.Right.Link("set", "b0", "down");
        using var wake = new EventDescriptor();
        using var poller = new Poller([bed.Receiver.Descriptor], wake);
        Assert.True(WaitForError(poller));
        Assert.Equal(InterfaceState.Down, bed.Receiver.RefreshState());
        Assert.False(WaitForError(poller, 2 * Poller.MuteNs));
        Assert.Equal(0, bed.Receiver.Receive(new int[4], new int[4]));

        bed.Right.Link("set", "b0", "up");
        Assert.Equal(InterfaceState.Up, bed.Receiver.RefreshState());
        bed.Send(Frames.Numbered(8, 80));
        Assert.Equal(8, Frames.NumberOf(Assert.Single(bed.Collect(1))));

        bed.Right.Link("del", "b0");
        Assert.True(WaitForError(poller));
        Assert.Equal(InterfaceState.Gone, bed.Receiver.RefreshState());
        Assert.False(WaitForError(poller, 2 * Poller.MuteNs));
        Assert.Equal(0, bed.Receiver.Receive(new int[4], new int[4]));
        bed.Submit(Frames.Numbered(1, 80));
        Assert.Equal(TransmitResult.Gone, bed.Transmitter.Kick());
        Assert.Equal(1, bed.Transmitter.Withdraw());
    }

    [PrivilegedFact]
    public void Open_UnknownInterface_NamesItAndTheRemedy()
    {
        using var bed = new PacketBed();
        var error = Assert.Throws<LinuxException>(() => AfPacketReceiver.Open("nothere0", new AfPacketReceiveOptions { NetworkNamespace = bed.Left.Name }));
        const string Start = "ioctl(SIOCGIFINDEX) for nothere0 failed: ENODEV (no such device). Remedy: check the interface name";
        Assert.StartsWith(Start, error.Message, StringComparison.Ordinal);
        error = Assert.Throws<LinuxException>(() => AfPacketTransmitter.Open("a0", new AfPacketTransmitOptions { NetworkNamespace = "dpnative-nowhere" }));
        Assert.Contains("network namespace dpnative-nowhere failed: ENOENT", error.Message, StringComparison.Ordinal);
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void OpenAndDispose_AThousandTimes_LeavesNothing(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        var rx = new AfPacketReceiveOptions { Ring = ring, BlockBytes = 128 << 10, BlockCount = 2, NetworkNamespace = bed.Left.Name, SegmentArenaBytes = 128 << 10 };
        var tx = new AfPacketTransmitOptions { SlotCount = 64, NetworkNamespace = bed.Left.Name };
        OpenAndClose(0);
        int descriptors = ProcessResources.DescriptorCount();
        int mappings = ProcessResources.MappingCount();
        // Closing waits for every processor of the kernel to pass by, so most of the time nobody runs: hence many at once.
        Parallel.For(0, 1000, new ParallelOptions { MaxDegreeOfParallelism = 16 }, OpenAndClose);
        Assert.InRange(ProcessResources.DescriptorCount(), 0, descriptors + 5);
        Assert.InRange(ProcessResources.MappingCount() - mappings, int.MinValue, 200);

        void OpenAndClose(int cycle)
        {
            AfPacketReceiver.Open("a0", rx).Dispose();
            AfPacketTransmitter.Open("a0", tx).Dispose();
        }
    }

    [PrivilegedTheory]
    [InlineData(AfPacketRing.Slots)]
    [InlineData(AfPacketRing.Blocks)]
    public void ReceiveAndTransmit_TenThousandBatches_AllocateNothing(AfPacketRing ring)
    {
        using var bed = new PacketBed(new AfPacketReceiveOptions { Ring = ring });
        byte[] frame = Frames.Numbered(1, 64);
        int[] offsets = new int[32], lengths = new int[32];
        long Run(int batches)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int batch = 0; batch < batches; batch++)
            {
                for (int i = 0; i < 4; i++)
                    bed.Submit(frame);
                bed.Transmitter.Kick();
                bed.Receiver.Receive(offsets, lengths);
                bed.Receiver.ReleaseReceived();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Run(500);
        Assert.Equal(0, Run(10_000));
        Assert.True(bed.Receiver.ReadStatistics().Frames > 0);
    }

    [PrivilegedFact]
    public void Dispose_Twice_EverythingAnswersAndNothingThrows()
    {
        using var bed = new PacketBed();
        bed.Receiver.Dispose();
        bed.Receiver.Dispose();
        bed.Transmitter.Dispose();
        bed.Transmitter.Dispose();
        Assert.Equal(0, bed.Receiver.Receive(new int[4], new int[4]));
        bed.Receiver.ReleaseReceived();
        Assert.Equal(InterfaceState.Gone, bed.Receiver.RefreshState());
        Assert.Equal(0, bed.Receiver.ReadStatistics().Frames);
        Assert.False(bed.Transmitter.TryReserve(64, out _));
        bed.Transmitter.Submit();
        Assert.Equal(TransmitResult.Gone, bed.Transmitter.Kick());
        Assert.Equal(0, bed.Transmitter.Withdraw());
    }

    private static bool WaitForError(Poller poller, long timeoutNs = 10 * Second)
    {
        long end = MonotonicClock.NowNs + timeoutNs;
        do
        {
            poller.Wait(Math.Max(0, end - MonotonicClock.NowNs));
            if (poller.HasError(0))
                return true;
        }
        while (MonotonicClock.NowNs < end);
        return false;
    }
}
