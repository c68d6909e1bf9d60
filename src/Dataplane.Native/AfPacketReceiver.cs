using System.Diagnostics;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;

namespace Dataplane.Native;

/// <summary>Receives the frames of a network interface from slots or blocks that the kernel fills in shared memory (AF_PACKET, TPACKET_V2 and V3).</summary>
/// <remarks>
/// <para>Theory of operation. The kernel fills slots in turn, each with one frame, and hands each over at once; or it fills blocks, and hands each over when it is full or its
/// time is up (<see cref="AfPacketRing"/>). <see cref="Receive"/> lists the frames that were handed over, where they lie; <see cref="ReleaseReceived"/> gives slots and fully listed
/// blocks back. A block of which only a part was listed is continued by the next call. A block that is being filled is never read: its count of frames runs ahead of what has
/// been copied (<c>prb_fill_curr_block</c>), and nobody is woken for it. Nothing is copied, with these exceptions:</para>
/// <para>A frame that is longer than its slot is fetched from the socket's queue, where the kernel keeps those in the order of their slots (PACKET_COPY_THRESH).</para>
/// <para>The kernel hands over frames as they travel inside the machine. A checksum may be left to hardware that does not exist, a VLAN tag
/// may lie beside the frame, and 64 KB of TCP may come as one frame. What is listed here is what would be on a wire: the
/// checksum is completed and the tag put back in place, and a super-frame is cut into segments, which lie in an arena in front of the
/// ring in the same <see cref="Region"/>. With <see cref="AfPacketReceiveOptions.KeepUnfinished"/> only the tag is put back, and <see cref="Unfinished"/> says what
/// is left to do.</para>
/// <para>Offsets and lengths read from the ring are checked against their block before use. One thread at a time may use the receiver;
/// <see cref="ReadStatistics"/>, <see cref="State"/> and <see cref="RefreshState"/> may be used by any.</para>
/// </remarks>
public sealed unsafe partial class AfPacketReceiver : IDisposable
{
    private readonly FileDescriptor _socket;
    private readonly InterfaceControl _control;
    private readonly Lock _gate = new();      // against a socket that closes while another thread asks it
    private readonly int _blockBytes;
    private readonly int _blockCount;
    private readonly int _arenaBytes;
    private readonly int _headroomBytes;
    private readonly UnfinishedFrame[] _unfinished;
    private byte* _ring;
    private int _state;
    private long _kernelDrops;
    private long _kernelFreezes;

    /// <summary>Takes over a socket and the region that holds its ring; tests bring memory of their own.</summary>
    internal AfPacketReceiver(FileDescriptor socket, NetworkInterfaceInfo info, MappedRegion region, AfPacketReceiveOptions options)
    {
        _socket = socket;
        _control = new InterfaceControl(socket);
        Interface = info;
        Region = region;
        _blockBytes = options.BlockBytes;
        _blockCount = options.BlockCount;
        _arenaBytes = options.SegmentArenaBytes;
        _headroomBytes = options.HeadroomBytes;
        _unfinished = options.KeepUnfinished ? new UnfinishedFrame[MostUnfinished] : [];
        if (options.Ring == AfPacketRing.Slots)
            UseSlots(SlotBytesFor(info.MtuBytes, options.HeadroomBytes));
        _ring = region.Start + (region.LengthBytes - ((long)_blockBytes * _blockCount));
        Debug.Assert(_ring - region.Start >= _arenaBytes, "The arena lies before the ring.");
    }

    /// <summary>The interface as it was when the receiver was opened.</summary>
    public NetworkInterfaceInfo Interface { get; }

    /// <summary>The memory that offsets count from: the arena, then the ring.</summary>
    public MappedRegion Region { get; }

    /// <summary>Readable for poll(2) while the kernel has handed over blocks.</summary>
    /// <remarks>In error after the interface went down or away, until <see cref="RefreshState"/>.</remarks>
    public FileDescriptor Descriptor => _socket;

    /// <summary>State of the interface when it was last looked at.</summary>
    public InterfaceState State => (InterfaceState)Volatile.Read(ref _state);

    /// <summary>Opens a ring on an interface.</summary>
    /// <remarks>An interface that is down is no error: frames come once it is up.</remarks>
    /// <param name="interfaceName">Name of an Ethernet interface.</param>
    /// <param name="options">Shape of the ring; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    /// <exception cref="LinuxException">CAP_NET_RAW is missing, there is no such interface, or the kernel has no memory for the ring.</exception>
    /// <exception cref="IOException">The interface does not carry Ethernet frames.</exception>
    public static AfPacketReceiver Open(string interfaceName, AfPacketReceiveOptions? options = null)
    {
        options ??= new AfPacketReceiveOptions();
        options.Validate();
        FileDescriptor socket = PacketSocket.Open(interfaceName, options.NetworkNamespace, out NetworkInterfaceInfo info);
        MappedRegion? region = null;
        try
        {
            PacketSocket.Set(socket, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING", interfaceName);
            if (options.Ring == AfPacketRing.Slots)
                SetUpSlots(socket, info, options);
            else
                SetUpBlocks(socket, interfaceName, options);
            region = MapRing(socket, options, interfaceName);
            var receiver = new AfPacketReceiver(socket, info, region, options);
            var everyone = new packet_mreq { mr_ifindex = info.Index, mr_type = PACKET_MR_PROMISC };
            if (options.Promiscuous)
                PacketSocket.Set(socket, PACKET_ADD_MEMBERSHIP, everyone, "PACKET_ADD_MEMBERSHIP", interfaceName);
            if (options.Fanout is { } fanout)
                fanout.Bind(socket, info);
            else
                PacketSocket.Bind(socket, info, ETH_P_ALL);
            receiver.RefreshState();
            return receiver;
        }
        catch
        {
            region?.Dispose();
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The frames of the last <see cref="Receive"/> that are unfinished, in order; always empty unless they are to be kept.</summary>
    internal ReadOnlySpan<UnfinishedFrame> Unfinished => _unfinished.AsSpan(0, _unfinishedCount);

    /// <summary>Lists frames that have come, without waiting, copying or allocating.</summary>
    /// <remarks>A listed frame stays where it is, writable, until <see cref="ReleaseReceived"/>; so do the head-room bytes before it.</remarks>
    /// <param name="offsets">Takes the offset of each frame's first MAC byte in <see cref="Region"/>.</param>
    /// <param name="lengths">Takes the length of each frame in bytes.</param>
    /// <returns>The number of frames listed, at most the shorter of the two spans.</returns>
    public int Receive(Span<int> offsets, Span<int> lengths)
    {
        _unfinishedCount = 0;
        if (_ring is null)
            return 0;
        int room = Math.Min(offsets.Length, lengths.Length);
        if (_unfinished.Length > 0)
            room = Math.Min(room, _unfinished.Length);
        int count = 0;
        while (count < room)
        {
            int before = count;
            if (_superFrame.IsPending)
            {
                count = ListSegments(offsets, lengths, count, room);
                // No room left in the arena: the next call goes on after the release.
                if (count == before)
                    break;
            }
            else if (_slotBytes > 0)
            {
                count = ListSlots(offsets, lengths, count, room);
                if (!_superFrame.IsPending)
                    break;
            }
            else
            {
                if (_remaining == 0 && !TryOpenBlock())
                    break;
                count = ListFrames(offsets, lengths, count, room);
            }
        }

        _frames += count;
        return count;
    }

    /// <summary>Gives every slot, or fully listed block, back to the kernel; all listed frames are invalid from now on.</summary>
    public void ReleaseReceived()
    {
        if (_ring is null)
            return;
        _arenaNext = 0;
        bool isCut = _superFrame.IsPending;
        if (_slotBytes > 0)
            ReleaseSlots(kept: isCut ? 1 : 0);
        else
            ReleaseBlocks(kept: _remaining > 0 || isCut ? 1 : 0);
    }

    /// <summary>Looks whether the interface is up and takes the socket's pending error. Three short system calls: not for every batch.</summary>
    /// <returns>The state; <see cref="InterfaceState.Gone"/> once disposed.</returns>
    public InterfaceState RefreshState()
    {
        lock (_gate)
        {
            InterfaceState state = InterfaceState.Gone;
            if (_ring is not null)
            {
                PacketSocket.TakeError(_socket);
                state = _control.StateOf(Interface.Index);
            }

            Volatile.Write(ref _state, (int)state);
            return state;
        }
    }

    /// <summary>Reads the counters. One system call; may be called by any thread.</summary>
    public AfPacketReceiveStatistics ReadStatistics()
    {
        lock (_gate)
        {
            if (_ring is not null)
                AddKernelCounters();
            return CountersOf(_kernelDrops, _kernelFreezes);
        }
    }

    /// <summary>Stops receiving and gives all memory back. Call it after the last <see cref="Receive"/> has returned.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_ring is null)
                return;
            AddKernelCounters();
            _ring = null;
            Region.Dispose();
            _socket.Dispose();
            Volatile.Write(ref _state, (int)InterfaceState.Gone);
        }
    }

    private AfPacketReceiveStatistics CountersOf(long kernelDrops, long kernelFreezes) => new()
    {
        Frames = Volatile.Read(ref _frames),
        Bytes = Volatile.Read(ref _bytes),
        KernelDrops = kernelDrops + Volatile.Read(ref _cut),
        KernelFreezes = kernelFreezes,
        Malformed = Volatile.Read(ref _malformed),
        Oversized = Volatile.Read(ref _oversized),
        UnsupportedSuperFrames = Volatile.Read(ref _unsupported),
        SuperFrames = Volatile.Read(ref _superFrames),
        Segments = Volatile.Read(ref _segments),
        ChecksumsCompleted = Volatile.Read(ref _checksums),
        VlanTagsRestored = Volatile.Read(ref _vlanTags),
    };

    private void AddKernelCounters()
    {
        tpacket_stats_v3 taken = PacketSocket.TakeStatistics(_socket);
        _kernelDrops += taken.tp_drops;
        _kernelFreezes += taken.tp_freeze_q_cnt;
    }

    private static MappedRegion MapRing(FileDescriptor socket, AfPacketReceiveOptions options, string interfaceName)
    {
        int arena = options.SegmentArenaBytes + (options.Ring == AfPacketRing.Slots ? FetchBytes : 0);
        return MappedRegion.ForRing(socket, arena, options.BlockBytes * options.BlockCount, interfaceName);
    }

    /// <summary>What PACKET_RESERVE must be so that at least the head-room lies before a frame, after its VLAN tag was put back, and not over the slot's status.</summary>
    /// <remarks>
    /// The kernel places a frame at TPACKET_ALIGN(header + sockaddr_ll + 16) + reserve + 10 - 14 of its slot. Everything before it but the status may be
    /// overwritten once the frame was listed, since its own header has been read by then.
    /// </remarks>
    /// <param name="headroomBytes">The head-room.</param>
    /// <param name="frameOffset">Where the kernel places a frame without it.</param>
    private static uint ReserveFor(int headroomBytes, int frameOffset)
    {
        int without = frameOffset - VlanTagBytes - sizeof(uint);
        return headroomBytes <= without ? 0 : (uint)((headroomBytes - without + TPACKET_ALIGNMENT - 1) & ~(TPACKET_ALIGNMENT - 1));
    }
}
