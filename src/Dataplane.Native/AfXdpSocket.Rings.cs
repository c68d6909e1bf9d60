// syscalls: sendto recvfrom
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Xdp;

namespace Dataplane.Native;

// The four rings, and the calls that have the kernel work on them.
internal sealed unsafe partial class AfXdpSocket
{
    /// <summary>Calls in one kick that get nowhere but lose one frame each, before the rest waits for the next kick.</summary>
    private const int MaxTries = 64;

    private long _kernelDrops;
    private long _invalidEntries;
    private long _malformed;
    private long _driverDrops;
    private long _congested;
    private long _kicks;

    /// <summary>Lists frames that have come, without waiting, copying or allocating; their chunks are the caller's from now on.</summary>
    /// <param name="offsets">Takes the offset of each frame's first MAC byte in the memory's region.</param>
    /// <param name="lengths">Takes the length of each frame in bytes.</param>
    /// <returns>The number of frames listed, at most the shorter of the two spans.</returns>
    internal int Receive(Span<int> offsets, Span<int> lengths)
    {
        if (!_isOpen)
            return 0;
        int entries = (int)Math.Min(_receive.FilledEntries(), (uint)Math.Min(offsets.Length, lengths.Length));
        if (entries == 0)
            return 0;
        uint umemBytes = (uint)_memory.UmemBytes, inChunk = (uint)_memory.ChunkBytes - 1;
        int count = 0;
        for (int i = 0; i < entries; i++)
        {
            xdp_desc frame = _receive.TakeFrame();
            // The chunk of an entry that makes no sense is not known and stays lost; the kernel writes no such entries.
            if (frame.addr >= umemBytes || frame.len == 0 || ((uint)frame.addr & inChunk) + (ulong)frame.len > inChunk + 1)
            {
                _malformed++;
                continue;
            }

            offsets[count] = (int)frame.addr;
            lengths[count] = (int)frame.len;
            count++;
        }

        _receive.PublishTaken();
        return count;
    }

    /// <summary>Looks whether there is a part of a frame, and takes it; its chunk is the caller's from now on. For sockets whose frames may lie in several chunks.</summary>
    /// <param name="offset">Offset of its first byte in the memory's region.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="continues">Whether the frame goes on in the next part.</param>
    /// <returns>False when there is none.</returns>
    internal bool TryTakePart(out int offset, out int length, out bool continues)
    {
        uint inChunk = (uint)_memory.ChunkBytes - 1;
        while (_isOpen && _receive.FilledEntries() > 0)
        {
            xdp_desc part = _receive.TakeFrame();
            if (part.addr < (uint)_memory.UmemBytes && part.len != 0 && ((uint)part.addr & inChunk) + (ulong)part.len <= inChunk + 1)
            {
                (offset, length, continues) = ((int)part.addr, (int)part.len, (part.options & XDP_PKT_CONTD) != 0);
                return true;
            }

            // As above: the kernel writes no such entries.
            _malformed++;
        }

        (offset, length, continues) = (0, 0, false);
        return false;
    }

    /// <summary>Tells the kernel that the entries of what <see cref="TryTakePart"/> gave may be written again.</summary>
    internal void FinishTaking()
    {
        if (_isOpen)
            _receive.PublishTaken();
    }

    /// <summary>Number of the chunk that an offset lies in.</summary>
    internal int ChunkOf(int offset) => offset >> _chunkShift;

    /// <summary>Gives empty chunks to the kernel.</summary>
    /// <returns>How many there was room for.</returns>
    internal int Fill(ReadOnlySpan<int> chunks)
    {
        if (!_isOpen)
            return 0;
        int count = (int)Math.Min(_fill.FreeEntries((uint)chunks.Length), (uint)chunks.Length);
        foreach (int chunk in chunks[..count])
            _fill.PutAddress((ulong)chunk << _chunkShift);
        _fill.PublishFilled();
        return count;
    }

    /// <summary>Writes a frame into the transmit ring; the kernel sees it at the next <see cref="Kick"/>.</summary>
    /// <param name="offset">Offset of its first byte in the memory's region.</param>
    /// <param name="length">Its length; it must end in the chunk that it begins in.</param>
    /// <returns>False when the ring is full.</returns>
    internal bool TryTransmit(int offset, int length)
    {
        if (!_isOpen || _transmit.FreeEntries(1) == 0)
            return false;
        _transmit.PutFrame((ulong)offset, (uint)length);
        return true;
    }

    /// <summary>Whether the transmit ring has room for so many parts.</summary>
    internal bool HasRoomFor(int parts) => _isOpen && _transmit.FreeEntries((uint)parts) >= (uint)parts;

    /// <summary>Writes a part of a frame into the transmit ring, which has room; all parts are written before the next <see cref="Kick"/>.</summary>
    /// <param name="offset">Offset of its first byte in the memory's region.</param>
    /// <param name="length">Its length; it must end in the chunk that it begins in.</param>
    /// <param name="continues">Whether the frame goes on in the next part.</param>
    internal void TransmitPart(int offset, int length, bool continues) => _transmit.PutFrame((ulong)offset, (uint)length, continues ? XDP_PKT_CONTD : 0);

    /// <summary>Takes back the chunks of frames that were sent.</summary>
    /// <returns>How many were listed.</returns>
    internal int TakeCompleted(Span<int> chunks)
    {
        if (!_isOpen)
            return 0;
        int count = (int)Math.Min(_completion.FilledEntries(), (uint)chunks.Length);
        if (count == 0)
            return 0;
        for (int i = 0; i < count; i++)
            chunks[i] = (int)(_completion.TakeAddress() >> _chunkShift);
        _completion.PublishTaken();
        return count;
    }

    /// <summary>Frames in the transmit ring that the kernel has not taken.</summary>
    internal int PendingFrames => _isOpen ? (int)_transmit.Unread() : 0;

    /// <summary>Has the kernel send what is in the transmit ring. One system call, if it can be sent.</summary>
    internal TransmitResult Kick()
    {
        if (!_isOpen)
            return TransmitResult.Gone;
        _transmit.PublishFilled();
        uint pending = _transmit.Unread();
        for (int tries = 0; pending > 0 && tries < MaxTries; tries++)
        {
            // Set throughout where the kernel copies; a driver with zero copy clears it while it works.
            if (!_transmit.NeedsWakeup)
                return TransmitResult.Done;
            nint result = Libc.Sendto(_socket.Number, null, 0, Socket.MSG_DONTWAIT, null, 0);
            int errno = result >= 0 ? 0 : Marshal.GetLastPInvokeError();
            _kicks++;
            uint before = pending;
            pending = _transmit.Unread();
            if (IsZeroCopy && errno == 0)
                return TransmitResult.Done;
            switch (errno)
            {
                case Errno.EBUSY:
                    // The driver has dropped the frame in hand, and the kernel stops to tell (__xsk_generic_xmit).
                    _driverDrops++;
                    break;
                case 0 or Errno.EAGAIN or Errno.EINTR when pending < before || errno == Errno.EINTR:
                    break;
                case Errno.ENETDOWN:
                    return TransmitResult.LinkDown;
                case Errno.ENXIO or Errno.ENODEV or Errno.EBADF:
                    return TransmitResult.Gone;
                default:
                    _congested++;
                    return TransmitResult.Congested;
            }
        }

        return pending == 0 ? TransmitResult.Done : TransmitResult.Congested;
    }

    /// <summary>Has the kernel poll the driver from this thread, if busy polling was asked for; and fill rings be looked at, where the driver sleeps.</summary>
    internal void Poll()
    {
        if (_isOpen && (IsBusyPolling || (IsZeroCopy && _fill.NeedsWakeup)))
        {
            Libc.Recvfrom(_socket.Number, null, 0, Socket.MSG_DONTWAIT, null, null);
            _kicks++;
        }
    }

    /// <summary>Reads the counters. One system call; may be called by any thread.</summary>
    internal AfXdpStatistics ReadStatistics()
    {
        lock (_gate)
        {
            if (_isOpen)
                AddKernelCounters();
            return new AfXdpStatistics
            {
                KernelDrops = _kernelDrops,
                InvalidEntries = _invalidEntries,
                Malformed = Volatile.Read(ref _malformed),
                DriverDrops = Volatile.Read(ref _driverDrops),
                Congested = Volatile.Read(ref _congested),
                Kicks = Volatile.Read(ref _kicks),
            };
        }
    }

    private void AddKernelCounters()
    {
        xdp_statistics now = default;
        uint size = (uint)sizeof(xdp_statistics);
        if (!XdpSocketOption.TryGet(_socket, XDP_STATISTICS, &now, ref size))
            return;
        // These only grow, for as long as the socket lives. What finds no chunk in copy mode is among the dropped.
        _kernelDrops = (long)(now.rx_dropped + now.rx_ring_full);
        _invalidEntries = (long)(now.rx_invalid_descs + now.tx_invalid_descs);
    }
}
