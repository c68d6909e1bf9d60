// syscalls: socket mmap
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Xdp;

namespace Dataplane.Native;

/// <summary>Receives and sends frames of one queue of an interface in memory that is shared with the kernel (AF_XDP), without libbpf or libxdp.</summary>
/// <remarks>
/// <para>Theory of operation. We give empty chunks by the fill ring and get them back with frames by the receive ring; we give frames by the
/// transmit ring and get their chunks back by the completion ring. A chunk with a received frame may go out by another socket's transmit
/// ring if both work on the same <see cref="XdpMemory"/>: forwarding is one entry read and one written, and no byte copied here.</para>
/// <para>The kernel copies each frame once, into the chunk, and once out of it again, unless the driver works on the memory itself
/// (<see cref="IsZeroCopy"/>). Sending is one system call for all entries in the ring, if the kernel knows XDP_MAX_TX_SKB_BUDGET, else for
/// each 32; receiving needs none.</para>
/// <para>One thread at a time may use the socket; <see cref="ReadStatistics"/> may be called by any.</para>
/// </remarks>
internal sealed unsafe partial class AfXdpSocket : IDisposable
{
    private const long QueueWaitNs = 5_000_000_000;

    private readonly FileDescriptor _socket;
    private readonly NetworkInterfaceInfo _info;
    private readonly XdpMemory _memory;
    private readonly Lock _gate = new();      // against a socket that closes while another thread asks it
    private readonly int _chunkShift;
    private readonly UnmapHandle?[] _mappings = new UnmapHandle?[4];
    private XdpRing _fill;
    private XdpRing _completion;
    private XdpRing _receive;
    private XdpRing _transmit;
    private bool _isOpen = true;

    private AfXdpSocket(FileDescriptor socket, NetworkInterfaceInfo info, XdpMemory memory)
    {
        _socket = socket;
        _info = info;
        _memory = memory;
        _chunkShift = int.Log2(memory.ChunkBytes);
    }

    /// <summary>Readable for poll(2) while received frames wait.</summary>
    internal FileDescriptor Descriptor => _socket;

    /// <summary>Whether the driver works on the memory itself.</summary>
    internal bool IsZeroCopy { get; private set; }

    /// <summary>Whether the memory is shared with a socket that was there before.</summary>
    internal bool IsShared { get; private set; }

    /// <summary>Frames that one system call sends at most; 0: no limit but the ring's.</summary>
    internal int TransmitBudget { get; private set; }

    /// <summary>Whether our own calls run the driver's receive path.</summary>
    internal bool IsBusyPolling { get; private set; }

    /// <summary>Opens a socket on an interface of the thread's network namespace. It gets frames once an <see cref="XdpAttachment"/> knows it.</summary>
    /// <param name="info">The interface.</param>
    /// <param name="memory">Where its frames lie.</param>
    /// <param name="options">Shape of the rings.</param>
    /// <exception cref="LinuxException">CAP_NET_RAW is missing, the queue is taken or does not exist, or memory may not be locked.</exception>
    internal static AfXdpSocket Open(NetworkInterfaceInfo info, XdpMemory memory, AfXdpOptions options)
    {
        int number = Libc.Socket(Abi.Socket.AF_XDP, Abi.Socket.SOCK_RAW | Abi.Socket.SOCK_CLOEXEC, 0);
        if (number < 0)
            throw LinuxException.FromLastError("socket(AF_XDP)", info.Name);
        var socket = new AfXdpSocket(new FileDescriptor(number), info, memory);
        try
        {
            socket.SetUp(options);
            memory.Add(socket);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Closes the socket; what is in its rings is not sent.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (!_isOpen)
                return;
            AddKernelCounters();
            _isOpen = false;
            _memory.Remove(this);
            _socket.Dispose();
            foreach (UnmapHandle? mapping in _mappings)
                mapping?.Dispose();
            (_fill, _completion, _receive, _transmit) = (default, default, default, default);
        }
    }

    private void SetUp(AfXdpOptions options)
    {
        int entries = options.RingEntries;
        Demand(XDP_UMEM_FILL_RING, entries, "XDP_UMEM_FILL_RING");
        Demand(XDP_UMEM_COMPLETION_RING, entries, "XDP_UMEM_COMPLETION_RING");
        Demand(XDP_RX_RING, entries, "XDP_RX_RING");
        Demand(XDP_TX_RING, entries, "XDP_TX_RING");
        xdp_mmap_offsets offsets = default;
        uint size = (uint)sizeof(xdp_mmap_offsets);
        if (!XdpSocketOption.TryGet(_socket, XDP_MMAP_OFFSETS, &offsets, ref size) || size != sizeof(xdp_mmap_offsets))
            throw LinuxException.FromLastError("getsockopt(XDP_MMAP_OFFSETS, AF_XDP)", _info.Name, "use kernel 5.4 or later");

        // With more frames on their way than its buffer has room for, the socket would stop before the ring is empty.
        PacketSocket.SetSendBuffer(_socket, entries * (_memory.ChunkBytes + 1024));
        TransmitBudget = XdpSocketOption.TrySet(_socket, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, entries) ? 0 : 32;
        if (options.BusyPollBudget > 0)
            SetBusyPolling(options.BusyPollBudget);
        _fill = Map(0, offsets.fr, entries, sizeof(ulong), XDP_UMEM_PGOFF_FILL_RING);
        _completion = Map(1, offsets.cr, entries, sizeof(ulong), XDP_UMEM_PGOFF_COMPLETION_RING);
        _receive = Map(2, offsets.rx, entries, sizeof(xdp_desc), XDP_PGOFF_RX_RING);
        _transmit = Map(3, offsets.tx, entries, sizeof(xdp_desc), XDP_PGOFF_TX_RING);
        Bind(options);
        xdp_options used = default;
        size = (uint)sizeof(xdp_options);
        IsZeroCopy = XdpSocketOption.TryGet(_socket, XDP_OPTIONS, &used, ref size) && (used.flags & XDP_OPTIONS_ZEROCOPY) != 0;
    }

    private void Bind(AfXdpOptions options)
    {
        // A shared memory brings its flags with it.
        IsShared = _memory.TryShare(other => TryBind(options.Queue, XDP_SHARED_UMEM, other._socket.Number) switch
        {
            0 => true,
            // The other's interface is gone, and with it that socket's tie to the memory.
            Errno.EBADF => false,
            int errno => throw Refused(errno, options.Queue),
        });
        if (IsShared)
            return;
        var register = new xdp_umem_reg
        {
            addr = (ulong)_memory.Region.Start,
            len = (ulong)_memory.UmemBytes,
            chunk_size = (uint)_memory.ChunkBytes,
        };
        Demand(XDP_UMEM_REG, register, "XDP_UMEM_REG");
        // Without either flag the kernel tries zero copy first and falls back by itself.
        ushort flags = (ushort)(XDP_USE_NEED_WAKEUP | (options.AllowZeroCopy ? 0 : XDP_COPY));
        int error = TryBind(options.Queue, (ushort)(flags | (_memory.HasFragments ? XDP_USE_SG : 0)), 0);
        if (error == Errno.EINVAL && _memory.HasFragments)
        {
            // Kernels before 6.6 do not know the flag; for any other reason they refuse once more.
            _memory.HasFragments = false;
            error = TryBind(options.Queue, flags, 0);
        }

        if (error != 0)
            throw Refused(error, options.Queue);
    }

    /// <summary>Binds; waits a little for a queue that is taken, for the kernel frees it only some time after the socket before was closed (xp_release_deferred).</summary>
    private int TryBind(int queue, ushort flags, int sharedSocket)
    {
        long end = MonotonicClock.NowNs + QueueWaitNs;
        var spinner = default(SpinWait);
        int error;
        while ((error = TryBindOnce(queue, flags, sharedSocket)) == Errno.EBUSY && MonotonicClock.NowNs < end)
            spinner.SpinOnce();
        return error;
    }

    private int TryBindOnce(int queue, ushort flags, int sharedSocket)
    {
        var address = new sockaddr_xdp
        {
            sxdp_family = Abi.Socket.AF_XDP,
            sxdp_flags = flags,
            sxdp_ifindex = (uint)_info.Index,
            sxdp_queue_id = (uint)queue,
            sxdp_shared_umem_fd = (uint)sharedSocket,
        };
        return XdpSocketOption.TryBind(_socket, &address, sizeof(sockaddr_xdp)) ? 0 : Marshal.GetLastPInvokeError();
    }

    private LinuxException Refused(int errno, int queue)
    {
        string? remedy = errno switch
        {
            Errno.EBUSY => "another socket has this queue: close it, or use another queue or interface",
            Errno.EINVAL => "name a queue that the interface has (ethtool -l)",
            _ => null,
        };
        return new LinuxException(errno, "bind(AF_XDP)", $"{_info.Name} queue {queue}", remedy);
    }

    private void SetBusyPolling(int budget)
    {
        // The time only has to be more than nothing: with MSG_DONTWAIT every call polls once.
        const int Microseconds = 20;
        IsBusyPolling = XdpSocketOption.TrySet(_socket, Abi.Socket.SOL_SOCKET, SO_PREFER_BUSY_POLL, 1)
            && XdpSocketOption.TrySet(_socket, Abi.Socket.SOL_SOCKET, SO_BUSY_POLL, Microseconds)
            && XdpSocketOption.TrySet(_socket, Abi.Socket.SOL_SOCKET, SO_BUSY_POLL_BUDGET, budget);
        if (!IsBusyPolling)
            throw LinuxException.FromLastError("setsockopt(SO_BUSY_POLL, AF_XDP)", _info.Name, "use kernel 5.11 or later, grant CAP_NET_ADMIN, or do without busy polling");
    }

    private XdpRing Map(int index, in xdp_ring_offset offsets, int entries, int entryBytes, long pageOffset)
    {
        nuint length = (nuint)offsets.desc + (nuint)(entries * entryBytes);
        nint address = Libc.Mmap(0, length, Memory.PROT_READ | Memory.PROT_WRITE, Memory.MAP_SHARED | Memory.MAP_POPULATE, _socket.Number, pageOffset);
        if (address == Memory.MAP_FAILED)
            throw LinuxException.FromLastError("mmap(AF_XDP ring)", _info.Name);
        _mappings[index] = new UnmapHandle(address, length);
        return XdpRing.At((byte*)address, offsets, entries);
    }

    private void Demand<T>(int option, T value, string optionName)
        where T : unmanaged
    {
        if (!XdpSocketOption.TrySet(_socket, SOL_XDP, option, value))
            throw LinuxException.FromLastError($"setsockopt({optionName}, AF_XDP)", _info.Name);
    }
}
