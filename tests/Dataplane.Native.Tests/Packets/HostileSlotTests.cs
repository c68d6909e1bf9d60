using System.Buffers.Binary;
using System.Net.Sockets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Native.Tests.Packets;

/// <summary>Nothing that is read from slots, or fetched for them, is trusted: both are written by the test in the kernel's place, right and wrong.</summary>
public sealed class HostileSlotTests : IDisposable
{
    private const int Block = 128 << 10, Arena = 128 << 10, Ring = Arena + AfPacketReceiver.FetchBytes;
    private const int FrameStart = 76, Slot = 1600, SlotsInBlock = Block / Slot;
    private const uint User = 1, Copy = 2;

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"dpslots{Guid.NewGuid():N}");
    private readonly Socket _kernel = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly Socket _queue = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    public HostileSlotTests()
    {
        _queue.Bind(new UnixDomainSocketEndPoint(_path));
        _queue.Blocking = false;
        _kernel.Connect(new UnixDomainSocketEndPoint(_path));
        _kernel.Blocking = false;
        _kernel.SendBufferSize = 200_000;
    }

    public void Dispose()
    {
        _kernel.Dispose();
        _queue.Dispose();
        File.Delete(_path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Receive_SlotsWithWrongNumbers_NeverLeaveTheRing(bool keepUnfinished)
    {
        using AfPacketReceiver receiver = Open(keepUnfinished);
        int[] offsets = new int[256], lengths = new int[256];
        uint[] interesting = [0, 1, 2, 3, 7, 17, 48, 75, 76, 77, 1514, 1524, 1600, 4096, 65535, 65558, 65559, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, 0xFFFF_FFFF];
        int[] fields = [0, 4, 8, 12, 14, 24, 26, FrameStart - 10, FrameStart - 8, FrameStart - 4];
        int next = 0, unfinished = 0;

        var edits = from field in Gen.Elements(fields)
                    from value in Gen.OneOf(Gen.Elements(interesting), Gen.Choose(0, int.MaxValue).Select(v => (uint)v))
                    select (field, value);
        var slots = from list in Gen.ListOf(edits)
                    from queued in Gen.Elements(-1, -1, 0, 9, 10, 11, 74, 1524, 3010, 65568, 66000)
                    select (Edits: list.Take(3).ToArray(), Queued: queued);
        Prop.ForAll(Gen.ListOf(slots).ToArbitrary(), list =>
        {
            foreach (var slot in list.Take(8))
            {
                Write(receiver, next, slot.Edits, slot.Queued);
                next = (next + 1) % (2 * SlotsInBlock);
            }

            for (int rounds = 0; ReceiveOnce(receiver, offsets, lengths, ref unfinished) > 0; rounds++)
                Assert.True(rounds < 1000);
            receiver.ReleaseReceived();

            // A slot that says that it is the kernel's stops the walk until the kernel has written it.
            for (int number = 0; number < 2 * SlotsInBlock; number++)
            {
                Span<byte> status = SlotOf(receiver, number)[..4];
                if ((BinaryPrimitives.ReadUInt32LittleEndian(status) & User) == 0 && IsBetween(receiver.Position & 0xFFFFF, next, number))
                    BinaryPrimitives.WriteUInt32LittleEndian(status, User);
            }

            while (ReceiveOnce(receiver, offsets, lengths, ref unfinished) > 0)
            {
            }

            receiver.ReleaseReceived();
            Drain();
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
        AfPacketReceiveStatistics seen = receiver.ReadStatistics();
        Assert.Equal(keepUnfinished, unfinished > 0);
        Assert.True(seen.Malformed > 100 && seen.Oversized > 10 && seen.KernelDrops > 10 && seen.Frames > 1000, $"{seen}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Receive_FrameLongerThanItsSlot_IsTheOneThatWasQueued(bool keepUnfinished)
    {
        using AfPacketReceiver receiver = Open(keepUnfinished);
        int[] offsets = new int[8], lengths = new int[8];
        Write(receiver, 0, [], -1);
        byte[] whole = [.. new byte[10], .. Frames.Numbered(7, 3000)];
        Write(receiver, 1, [(0, User | Copy), (4, 3000), (8, 1524)], -1);
        Assert.Equal(whole.Length, _kernel.Send(whole));
        Write(receiver, 2, [], -1);

        Assert.Equal(3, receiver.Receive(offsets, lengths));

        Assert.Equal([64, 3000, 64], lengths[..3]);
        Assert.Equal(Frames.Numbered(7, 3000), receiver.Region.Span.Slice(offsets[1], lengths[1]).ToArray());
        Assert.Equal(2, offsets[1] % 4);
        Assert.True(offsets[1] >= 64 + 4 && offsets[1] + lengths[1] <= Arena);
        receiver.ReleaseReceived();
        Assert.Equal(0, receiver.Receive(offsets, lengths));
    }

    // More than the arena holds is left where it is until the frames before are given back.
    [Fact]
    public void Receive_MoreLongFramesThanTheArenaHolds_GoesOnAfterTheRelease()
    {
        using AfPacketReceiver receiver = Open(keepUnfinished: true);
        int[] offsets = new int[64], lengths = new int[64];
        var seen = new List<int>();
        for (int i = 0; i < 8; i++)
        {
            Write(receiver, i, [(0, User | Copy), (4, 20_000), (8, 1524)], -1);
            _kernel.Send([.. new byte[10], .. Frames.Numbered(i, 20_000)]);
        }

        for (int count; (count = receiver.Receive(offsets, lengths)) > 0; receiver.ReleaseReceived())
        {
            Assert.InRange(count, 1, 4);
            for (int i = 0; i < count; i++)
            {
                Assert.Equal(20_000, lengths[i]);
                seen.Add(Frames.NumberOf(receiver.Region.Span.Slice(offsets[i], lengths[i])));
            }
        }

        Assert.Equal(Enumerable.Range(0, 8), seen);
    }

    [Fact]
    public void Position_OfAnotherReceiver_IsWhereItGoesOn()
    {
        using AfPacketReceiver receiver = Open(keepUnfinished: false);
        int[] offsets = new int[256], lengths = new int[256];
        for (int i = 0; i < SlotsInBlock + 5; i++)
            Write(receiver, i, [], -1);
        Assert.Equal(SlotsInBlock + 5, receiver.Receive(offsets, lengths));
        receiver.ReleaseReceived();
        Assert.True(receiver.IsAtRest);

        using AfPacketReceiver other = Open(keepUnfinished: false);
        other.Position = receiver.Position;
        Assert.Equal(receiver.Position, other.Position);
        Write(other, SlotsInBlock + 5, [], -1);
        Assert.Equal(1, other.Receive(offsets, lengths));
        Assert.Equal(Ring + Block + (5 * Slot) + FrameStart, offsets[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => other.Position = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => other.Position = 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => other.Position = (25 << 20) | (2 * SlotsInBlock));
        Assert.Throws<ArgumentOutOfRangeException>(() => other.Position = 257 << 20);
    }

    private static int ReceiveOnce(AfPacketReceiver receiver, int[] offsets, int[] lengths, ref int unfinished)
    {
        int count = receiver.Receive(offsets, lengths);
        for (int i = 0; i < count; i++)
        {
            // Head-room and tag before a fetched frame; before one in its slot, all but the slot's status.
            bool inArena = offsets[i] >= 64 && offsets[i] + lengths[i] <= Arena;
            int inRing = offsets[i] - Ring;
            bool inSlot = inRing >= 0 && (inRing % Block % Slot) - 64 >= 4 && (inRing % Block % Slot) + lengths[i] <= Slot;
            Assert.True(lengths[i] >= 0 && (inArena || inSlot), $"frame at {offsets[i]}, {lengths[i]} bytes");
        }

        int last = -1;
        foreach (UnfinishedFrame frame in receiver.Unfinished)
        {
            Assert.InRange(frame.Index, last + 1, count - 1);
            last = frame.Index;
            unfinished++;
        }

        receiver.ReleaseReceived();
        return count;
    }

    private static bool IsBetween(int from, int to, int number) => from <= to ? number >= from && number < to : number >= from || number < to;

    private static Span<byte> SlotOf(AfPacketReceiver receiver, int number) =>
        receiver.Region.Span.Slice(Ring + (number / SlotsInBlock * Block) + (number % SlotsInBlock * Slot), Slot);

    private void Write(AfPacketReceiver receiver, int number, (int Field, uint Value)[] edits, int queued)
    {
        Span<byte> slot = SlotOf(receiver, number);
        slot.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(slot[4..], 64);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[8..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(slot[12..], FrameStart);
        Frames.Numbered(number, 64).CopyTo(slot[FrameStart..]);
        BinaryPrimitives.WriteUInt32LittleEndian(slot, User);
        foreach ((int field, uint value) in edits)
        {
            // Statuses and lengths are 32 bits wide, what stands behind them 16.
            if (field < 12)
                BinaryPrimitives.WriteUInt32LittleEndian(slot[field..], value);
            else
                BinaryPrimitives.WriteUInt16LittleEndian(slot[field..], (ushort)value);
        }

        if (queued < 0)
            return;
        byte[] datagram = new byte[queued];
        new Random(number).NextBytes(datagram);
        if (queued > 20)
            datagram.AsSpan(0, 10).Clear();
        try
        {
            _kernel.Send(datagram);
            BinaryPrimitives.WriteUInt32LittleEndian(slot, User | Copy);
            BinaryPrimitives.WriteUInt32LittleEndian(slot[4..], (uint)Math.Max(0, queued - 10));
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable)
        {
        }
    }

    private void Drain()
    {
        byte[] rest = new byte[70_000];
        while (_queue.Available > 0 || _queue.Poll(0, SelectMode.SelectRead))
            _queue.Receive(rest);
    }

    private AfPacketReceiver Open(bool keepUnfinished)
    {
        var options = new AfPacketReceiveOptions { Ring = AfPacketRing.Slots, BlockBytes = Block, BlockCount = 2, SegmentArenaBytes = Arena, KeepUnfinished = keepUnfinished };
        var info = new NetworkInterfaceInfo
        {
            Name = "none0",
            Index = 1,
            HardwareAddress = 0,
            IsEthernet = true,
            MtuBytes = 1500,
            IsUp = true,
            IsRunning = true,
            IsLoopback = false,
        };
        var queue = new FileDescriptor((int)NativeDuplicate(_queue));
        return new AfPacketReceiver(queue, info, MappedRegion.Allocate(Ring + (2 * Block)), options);
    }

    // The receiver closes its descriptor, the test its socket.
    private static nint NativeDuplicate(Socket socket) => Dataplane.Native.Abi.Libc.Fcntl((int)socket.Handle, 1030, 0);    // F_DUPFD_CLOEXEC
}
