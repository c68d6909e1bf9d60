using System.Buffers.Binary;

namespace Dataplane.Native.Tests.Packets;

public class AfPacketTransmitterTests
{
    [PrivilegedFact]
    public void TryReserve_LengthOutsideTheSlot_IsRefused()
    {
        using var bed = new PacketBed();
        Assert.Equal(1518, bed.Transmitter.MaxFrameBytes);
        Assert.False(bed.Transmitter.TryReserve(13, out _));
        Assert.False(bed.Transmitter.TryReserve(1519, out _));
        Assert.True(bed.Transmitter.TryReserve(14, out Span<byte> slot));
        Assert.Equal(14, slot.Length);
        Assert.Equal(0, bed.Transmitter.ReadStatistics().RingFull);
    }

    [PrivilegedFact]
    public void Submit_WithoutReservation_SendsNothing()
    {
        using var bed = new PacketBed();
        bed.Transmitter.Submit();
        Assert.True(bed.Transmitter.TryReserve(60, out _));
        Assert.True(bed.Transmitter.TryReserve(70, out Span<byte> slot));
        Frames.Numbered(4, 70).CopyTo(slot);
        bed.Transmitter.Submit();
        bed.Transmitter.Submit();
        Assert.Equal(1, bed.Transmitter.PendingFrames);
        Assert.Equal(TransmitResult.Done, bed.Transmitter.Kick());
        Assert.Equal(Frames.Numbered(4, 70), Assert.Single(bed.Collect(1)));
    }

    [PrivilegedTheory]
    [InlineData(1500, 1518)]
    [InlineData(9000, 9018)]
    public void Kick_JumboFrames_ArriveWhole(int mtu, int expected)
    {
        using var left = NetworkNamespace.Create("left");
        using var right = NetworkNamespace.Create("right");
        NetworkNamespace.Connect(left, "a0", right, "b0");
        left.Link("set", "a0", "mtu", $"{mtu}");
        right.Link("set", "b0", "mtu", $"{mtu}");
        using var rx = AfPacketReceiver.Open("b0", new AfPacketReceiveOptions { NetworkNamespace = right.Name });
        using var tx = AfPacketTransmitter.Open("a0", new AfPacketTransmitOptions { NetworkNamespace = left.Name, SlotCount = 100 });
        Assert.Equal(expected, tx.MaxFrameBytes);
        using var wake = new EventDescriptor();
        using var poller = new Poller([rx.Descriptor], wake);
        int[] offsets = new int[64], lengths = new int[64];
        // Several times around the ring, whose slots do not fill their blocks evenly.
        for (int i = 0; i < 5 * tx.SlotCount; i++)
        {
            byte[] frame = Frames.Numbered(i, expected - (i % 5000 % (expected - 60)));
            Assert.True(tx.TryReserve(frame.Length, out Span<byte> slot));
            frame.CopyTo(slot);
            tx.Submit();
            Assert.Equal(TransmitResult.Done, tx.Kick());
            while (poller.Wait(10_000_000_000) == 0)
            {
            }

            Assert.Equal(1, rx.Receive(offsets, lengths));
            Assert.Equal(frame, rx.Region.Span.Slice(offsets[0], lengths[0]).ToArray());
            rx.ReleaseReceived();
        }
    }

    [PrivilegedFact]
    public void Kick_QueueOfTheDeviceFull_KeepsTheRestInOrderForLater()
    {
        using var home = NetworkNamespace.Create("tap");
        using var tap = TapDevice.Open("dptap0", new TapOptions { NetworkNamespace = home.Name });
        using var tx = AfPacketTransmitter.Open("dptap0", new AfPacketTransmitOptions { NetworkNamespace = home.Name, SlotCount = 2000 });
        int submitted = 0;
        while (tx.TryReserve(100, out Span<byte> slot))
        {
            Frames.Numbered(submitted++, 100).CopyTo(slot);
            tx.Submit();
        }

        Assert.Equal(tx.SlotCount, submitted);
        Assert.Equal(TransmitResult.Congested, tx.Kick());
        Assert.InRange(tx.PendingFrames, 1, submitted - 1);
        Assert.Equal(1, tx.ReadStatistics().RingFull);
        Assert.True(tx.ReadStatistics().Congested > 0);

        // What comes after a while of reading is everything, once, in order.
        byte[] buffer = new byte[2000];
        int next = 0;
        while (next < submitted)
        {
            int length = tap.Read(buffer);
            if (length == 0)
                tx.Kick();
            else if (Frames.IsNumbered(buffer.AsSpan(0, length)))
                Assert.Equal(Frames.Numbered(next++, 100), buffer[..length]);
        }

        AfPacketTransmitStatistics counters = tx.ReadStatistics();
        Assert.Equal((submitted, submitted, 0), (counters.SubmittedFrames, counters.SentFrames, tx.PendingFrames));
    }

    [PrivilegedFact]
    public void Withdraw_QueueOfTheDeviceFull_FreesTheRingAndSendingGoesOn()
    {
        using var home = NetworkNamespace.Create("tap");
        using var tap = TapDevice.Open("dptap0", new TapOptions { NetworkNamespace = home.Name });
        using var tx = AfPacketTransmitter.Open("dptap0", new AfPacketTransmitOptions { NetworkNamespace = home.Name, SlotCount = 2000 });
        byte[] buffer = new byte[2000];
        for (int round = 0; round < 5; round++)
        {
            while (tx.TryReserve(100, out Span<byte> slot))
            {
                Frames.Numbered(round, 100).CopyTo(slot);
                tx.Submit();
            }

            Assert.Equal(TransmitResult.Congested, tx.Kick());
            int pending = tx.PendingFrames;
            Assert.Equal(pending, tx.Withdraw());
            Assert.Equal(0, tx.PendingFrames);
            int read = 0;
            for (int length; (length = tap.Read(buffer)) > 0;)
            {
                if (!Frames.IsNumbered(buffer.AsSpan(0, length)))
                    continue;
                Assert.Equal(round, Frames.NumberOf(buffer));
                read++;
            }

            Assert.Equal(tx.SlotCount, read + pending);
        }

        AfPacketTransmitStatistics counters = tx.ReadStatistics();
        Assert.Equal(counters.SubmittedFrames, counters.SentFrames + counters.WithdrawnFrames);
    }

    [PrivilegedFact]
    public void Kick_FrameTheKernelRefuses_IsCountedAndTheRestPasses()
    {
        using var bed = new PacketBed();
        for (int round = 0; round < 40; round++)
        {
            for (int i = 0; i < 50; i++)
            {
                bed.Submit(Frames.Numbered(i, 60 + i));
                // An offload header that claims more header than frame: what a fault of ours would look like to the kernel.
                if (i is 0 or 7 or 8 or 49)
                    BinaryPrimitives.WriteUInt16LittleEndian(bed.Transmitter.LastOffloadHeader[2..], 60_000);
            }

            Assert.Equal(TransmitResult.Done, bed.Transmitter.Kick());
            int[] passed = [.. Enumerable.Range(0, 50).Where(i => i is not (0 or 7 or 8 or 49))];
            List<byte[]> received = bed.Collect(46);
            Assert.Equal(passed.Select(i => Convert.ToHexString(Frames.Numbered(i, 60 + i))), received.Select(Convert.ToHexString));
        }

        AfPacketTransmitStatistics counters = bed.Transmitter.ReadStatistics();
        Assert.Equal((2000, 1840, 160), (counters.SubmittedFrames, counters.SentFrames, counters.RejectedFrames));
    }

    [PrivilegedFact]
    public void Kick_LinkDown_SaysSoAndRecovers()
    {
        using var bed = new PacketBed();
        bed.Left.Link("set", "a0", "down");
        bed.Submit(Frames.Numbered(1, 60));
        Assert.Equal(TransmitResult.LinkDown, bed.Transmitter.Kick());
        Assert.Equal(1, bed.Transmitter.Withdraw());
        bed.Left.Link("set", "a0", "up");
        bed.Send(Frames.Numbered(2, 60));
        Assert.Equal(2, Frames.NumberOf(Assert.Single(bed.Collect(1))));
    }
}
