// syscalls: sendto
using System.Numerics;
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;

namespace Dataplane.Native;

/// <summary>Sends frames by a ring of slots in shared memory that the kernel empties when asked to (AF_PACKET, TPACKET_V2).</summary>
/// <remarks>
/// <para>Theory of operation. <see cref="TryReserve"/> gives the next free slot, <see cref="Submit"/> marks it to be sent,
/// <see cref="Kick"/> lets the kernel send everything that is marked, in order, with one system call. The kernel stops at the first
/// frame that the driver has no room for and leaves it and all behind it marked: they go with the next kick, or come back by
/// <see cref="Withdraw"/>. So the ring is the only queue, its length is bounded, and nothing is lost without being counted.</para>
/// <para>The socket has no protocol: it receives nothing. Each slot begins with an offload header whose header length covers the whole
/// frame, for then the kernel copies the frame into the packet it makes. Otherwise it would lend pages of the ring to the packet, and
/// every receiver on the same machine (veth, bridge) would have to allocate and copy them again: on veth that costs half as much again.</para>
/// <para>Super-frames do not fit the slots. They go by a second socket without a ring, one system call each, once the ring is empty, so that the order is kept.</para>
/// <para>One thread at a time may use the transmitter; <see cref="ReadStatistics"/> may be called by any.</para>
/// </remarks>
public sealed unsafe partial class AfPacketTransmitter : IDisposable
{
    private const int BlockBytes = 64 << 10;

    private readonly FileDescriptor _socket;
    private readonly FileDescriptor? _superSocket;
    private readonly MappedRegion _region;
    private readonly int[] _slots;       // offset of each slot: a block need not be a whole number of slots
    private byte* _ring;
    private int _head;                   // next slot to fill
    private int _tail;                   // next slot that the kernel will look at
    private int _pending;                // slots marked and not taken by the kernel
    private long _pendingBytes;          // their bytes, as the kernel counts what it has sent
    private long _submittedFrames;
    private long _submittedBytes;
    private long _sent;
    private long _rejected;
    private long _withdrawn;
    private long _ringFull;
    private long _congested;

    private AfPacketTransmitter(FileDescriptor socket, FileDescriptor? superSocket, NetworkInterfaceInfo info, MappedRegion region, int[] slots, int maxFrameBytes)
    {
        _socket = socket;
        _superSocket = superSocket;
        Interface = info;
        _region = region;
        _slots = slots;
        _ring = region.Start;
        MaxFrameBytes = maxFrameBytes;
    }

    /// <summary>The interface as it was when the transmitter was opened.</summary>
    public NetworkInterfaceInfo Interface { get; }

    /// <summary>Longest frame in bytes that a slot takes.</summary>
    public int MaxFrameBytes { get; }

    /// <summary>Number of slots.</summary>
    public int SlotCount => _slots.Length;

    /// <summary>Frames in the ring that the kernel has not taken.</summary>
    public int PendingFrames => _pending;

    /// <summary>Opens a ring on an interface.</summary>
    /// <param name="interfaceName">Name of an Ethernet interface.</param>
    /// <param name="options">Shape of the ring; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    /// <exception cref="LinuxException">CAP_NET_RAW is missing, there is no such interface, or the kernel has no memory for the ring.</exception>
    /// <exception cref="IOException">The interface does not carry Ethernet frames.</exception>
    public static AfPacketTransmitter Open(string interfaceName, AfPacketTransmitOptions? options = null)
    {
        options ??= new AfPacketTransmitOptions();
        options.Validate();
        FileDescriptor socket = PacketSocket.Open(interfaceName, options.NetworkNamespace, out NetworkInterfaceInfo info);
        MappedRegion? region = null;
        FileDescriptor? superSocket = null;
        try
        {
            int longest = Math.Min(info.MtuBytes + ETH_HLEN + VlanTagBytes, ushort.MaxValue);
            int maxFrame = options.MaxFrameBytes != 0 ? options.MaxFrameBytes : longest;
            int slotBytes = SlotBytesFor(maxFrame);
            int blockBytes = Math.Max(BlockBytes, (int)BitOperations.RoundUpToPowerOf2((uint)slotBytes));
            int[] slots = LayOut(options.SlotCount, slotBytes, blockBytes, out int blocks);
            PacketSocket.Set(socket, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION", interfaceName);
            PacketSocket.Set(socket, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR", interfaceName);
            if (options.BypassQueueingDiscipline)
                PacketSocket.Set(socket, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS", interfaceName);
            // A full ring of frames with the kernel's own bookkeeping must fit, or the socket's limit would stop it early.
            PacketSocket.SetSendBuffer(socket, slots.Length * (slotBytes + 1024));
            var shape = new tpacket_req
            {
                tp_block_size = (uint)blockBytes,
                tp_block_nr = (uint)blocks,
                tp_frame_size = (uint)slotBytes,
                tp_frame_nr = (uint)slots.Length,
            };
            PacketSocket.Set(socket, PACKET_TX_RING, shape, "PACKET_TX_RING", interfaceName);
            region = MappedRegion.ForRing(socket, 0, blockBytes * blocks, interfaceName);
            PacketSocket.Bind(socket, info, protocol: 0);
            superSocket = options.SuperFrames ? OpenSuperSocket(interfaceName, options) : null;
            return new AfPacketTransmitter(socket, superSocket, info, region, slots, maxFrame);
        }
        catch
        {
            superSocket?.Dispose();
            region?.Dispose();
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Lets the kernel send what was submitted. One system call; none when nothing is pending.</summary>
    /// <remarks>A frame that the kernel refuses as malformed is taken out and counted, and the rest goes on: a second call then, for this rare case.</remarks>
    public TransmitResult Kick()
    {
        while (_pending > 0 && _ring is not null)
        {
            nint sent = Libc.Sendto(_socket.Number, null, 0, Socket.MSG_DONTWAIT, null, 0);
            if (sent == _pendingBytes)
            {
                // The usual case, without looking at every slot again.
                TakeAll();
                return TransmitResult.Done;
            }

            int errno = sent >= 0 ? 0 : Marshal.GetLastPInvokeError();
            int before = _pending;
            TakeSent();
            if (_pending == 0)
                return TransmitResult.Done;
            if (StatusOf(_tail) == TP_STATUS_WRONG_FORMAT)
            {
                RemoveRejected();
                continue;
            }

            switch (errno)
            {
                case Errno.ENETDOWN:
                    return TransmitResult.LinkDown;
                case Errno.ENXIO or Errno.ENODEV or Errno.EBADF:
                    return TransmitResult.Gone;
                case Errno.EINTR:
                    continue;
                case 0 when _pending < before:
                    // The kernel ran out of something between two frames; it says so (EAGAIN, ENOBUFS) only for the first of a call.
                    continue;
                default:
                    _congested++;
                    return TransmitResult.Congested;
            }
        }

        return _ring is null ? TransmitResult.Gone : TransmitResult.Done;
    }

    /// <summary>Reads the counters; may be called by any thread.</summary>
    public AfPacketTransmitStatistics ReadStatistics() => new()
    {
        SubmittedFrames = Volatile.Read(ref _submittedFrames),
        SubmittedBytes = Volatile.Read(ref _submittedBytes),
        SentFrames = Volatile.Read(ref _sent),
        RejectedFrames = Volatile.Read(ref _rejected),
        WithdrawnFrames = Volatile.Read(ref _withdrawn),
        RingFull = Volatile.Read(ref _ringFull),
        Congested = Volatile.Read(ref _congested),
    };

    /// <summary>Gives all memory back; frames that are pending are not sent.</summary>
    public void Dispose()
    {
        if (_ring is null)
            return;
        _ring = null;
        _region.Dispose();
        _socket.Dispose();
        _superSocket?.Dispose();
    }

    /// <summary>Size of a slot: header, offload header and frame, in an odd number of cache lines.</summary>
    /// <remarks>With an even number the headers of all slots would share half of the cache's sets, with 2,048 bytes two of them.</remarks>
    private static int SlotBytesFor(int maxFrameBytes)
    {
        int lines = (FrameOffset + maxFrameBytes + 63) / 64;
        return (lines | 1) * 64;
    }

    private static int[] LayOut(int slotCount, int slotBytes, int blockBytes, out int blocks)
    {
        int perBlock = blockBytes / slotBytes;
        blocks = (slotCount + perBlock - 1) / perBlock;
        var slots = new int[perBlock * blocks];
        for (int i = 0; i < slots.Length; i++)
            slots[i] = (i / perBlock * blockBytes) + (i % perBlock * slotBytes);
        return slots;
    }
}
