using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port on one queue of an Ethernet interface, by an AF_XDP socket.</summary>
/// <remarks>
/// Frames are worked on where the kernel put them. Leaving by a port with the same memory they are passed on as they lie; by any other they are copied once.
/// Cost per packet here: two ring entries read and two written, no system call; per batch: one system call of the port that sends.
/// What the driver has no room for waits in the transmit ring, in order, and every round of the worker tries again; new frames are
/// refused once the ring is full. Frames that the driver itself drops (veth, when the other end cannot keep up) are counted as errors.
/// </remarks>
internal sealed partial class AfXdpPort : IPort
{
    /// <summary>Shortest time between two looks at the interface's state, which cost system calls.</summary>
    private const long LookIntervalNs = 10_000_000;

    private const int EthernetHeaderBytes = 14;
    private const int VlanTagBytes = 4;

    private readonly AfXdpBinding _binding;
    private readonly AfXdpSocket _socket;
    private readonly XdpMemory _frames;
    private readonly Memory<byte> _memory;
    private readonly byte _number;
    private readonly int _ringEntries;
    private readonly int _maxFrameBytes;
    private readonly int _chunkMask;
    private readonly int _umemBytes;
    private readonly FrameGather? _gather;                                 // null: every frame is in one chunk
    private readonly int[] _received = new int[PacketBatch.Capacity];      // chunks of the batch in hand
    private readonly int[] _moving = new int[2 * PacketBatch.Capacity];
    private int[]? _brought;                                               // chunks for the pool, once the worker is here
    private int _receivedCount;
    private int _withKernel;                                               // chunks in the fill ring, behind it or in the receive ring
    private int _sending;                                                  // frames in the transmit ring or behind it
    private int _state;
    private long _lastLookNs;
    private long _receivedPackets;
    private long _receivedBytes;
    private long _transmittedPackets;
    private long _transmittedBytes;
    private long _refused;

    public AfXdpPort(AfXdpBinding binding, MacAddress? mac, int? mtu)
    {
        _binding = binding;
        _socket = binding.Socket;
        _frames = binding.Memory;
        _memory = _frames.Region.Memory;
        _number = binding.Number;
        _ringEntries = binding.RingEntries;
        _chunkMask = _frames.ChunkBytes - 1;
        Mac = mac ?? new MacAddress(binding.Interface.HardwareAddress);
        Mtu = Math.Min(mtu ?? int.MaxValue, binding.MtuBytes);
        _maxFrameBytes = Mtu + EthernetHeaderBytes + VlanTagBytes;
        _umemBytes = _frames.UmemBytes;
        if (_frames.HasFragments)
        {
            // What the interface takes, though the port may be told to send less.
            _gather = new FrameGather(_memory, _frames.GatherAt(_number), _frames.GatherBytes, binding.MtuBytes + EthernetHeaderBytes + VlanTagBytes);
        }

        int[] chunks = binding.TakeChunks();
        _withKernel = _socket.Fill(chunks.AsSpan(0, Math.Min(chunks.Length, _ringEntries)));
        _brought = chunks[_withKernel..];
        Look();
    }

    /// <inheritdoc/>
    public MacAddress Mac { get; }

    /// <inheritdoc/>
    public int Mtu { get; }

    /// <inheritdoc/>
    public LinkState Link
    {
        get
        {
            if (MonotonicClock.NowNs - Volatile.Read(ref _lastLookNs) >= LookIntervalNs)
            {
                Look();
            }

            return (LinkState)Volatile.Read(ref _state);
        }
    }

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _socket.Descriptor;

    /// <inheritdoc/>
    public string Description => _binding.Description;

    /// <summary>What its interface is to the fast path; null: nothing.</summary>
    internal FastPathPort? FastPath => _binding.FastPath;

    /// <summary>Where its frames lie; for tests.</summary>
    internal XdpMemory Frames => _frames;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        if (_brought is not null)
        {
            Bring();
        }

        if (_sending > 0)
        {
            Settle();
        }

        _socket.Poll();
        batch.SetMemory(_memory);
        int first = batch.Count;
        int count = _gather is null ? ReceiveWhole(batch) : ReceiveParts(batch, _gather);
        if (count == 0)
        {
            if (MonotonicClock.NowNs - _lastLookNs >= LookIntervalNs)
            {
                Look();
            }

            return 0;
        }

        long bytes = 0;
        foreach (int length in batch.Lengths[first..(first + count)])
        {
            bytes += length;
        }

        Volatile.Write(ref _receivedPackets, _receivedPackets + count);
        Volatile.Write(ref _receivedBytes, _receivedBytes + bytes);
        if (!_socket.IsZeroCopy)
        {
            // A driver with zero copy has hardware below it, which finishes checksums.
            PartialChecksums.Finish(batch, first);
        }

        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        ReadOnlySpan<PacketMarks> marks = batch.Marks;
        int kept = 0;
        for (int i = 0; i < _receivedCount; i++)
        {
            if ((marks[i] & PacketMarks.FramePassedOn) == 0)
            {
                _moving[kept++] = _received[i];
            }
        }

        _receivedCount = 0;
        _gather?.Clear();
        TopUp(kept);
    }

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        if (_state != (int)LinkState.Up && Link != LinkState.Up)
        {
            return Refuse(batch, packets, DropReason.LinkDown);
        }

        if (_brought is not null)
        {
            Bring();
        }

        bool shared = batch.IsIn(_memory);
        int accepted = 0;
        long bytes = 0;
        for (int i = 0; i < packets.Length; i++)
        {
            int packet = packets[i];
            int length = batch.Lengths[packet];
            if (length < EthernetHeaderBytes || length > _maxFrameBytes)
            {
                Refuse(batch, packets.Slice(i, 1), DropReason.FrameTooLong);
                continue;
            }

            if (!TryPut(batch, packet, length, shared))
            {
                // Full with frames that were never offered to the kernel: let it have them, then look again.
                Flush();
                if (!TryPut(batch, packet, length, shared))
                {
                    accepted += Refuse(batch, packets[i..], DropReason.TransmitRingFull);
                    break;
                }
            }

            accepted++;
            bytes += length;
        }

        Volatile.Write(ref _transmittedPackets, _transmittedPackets + accepted);
        Volatile.Write(ref _transmittedBytes, _transmittedBytes + bytes);
        return accepted;
    }

    /// <inheritdoc/>
    public void Flush()
    {
        if (_sending == 0)
        {
            return;
        }

        switch (_socket.Kick())
        {
            case TransmitResult.Congested:
                // Whoever empties the device's queue may need this processor to do it.
                Thread.Yield();
                break;
            case TransmitResult.LinkDown or TransmitResult.Gone:
                Look();
                break;
        }

        TakeBackSent();
    }

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // The worker sleeps on the descriptor.
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics)
    {
        AfXdpStatistics kernel = _socket.ReadStatistics();
        statistics = new PortStatistics
        {
            ReceivedPackets = Volatile.Read(ref _receivedPackets),
            ReceivedBytes = Volatile.Read(ref _receivedBytes),
            TransmittedPackets = Volatile.Read(ref _transmittedPackets),
            TransmittedBytes = Volatile.Read(ref _transmittedBytes),
            KernelDrops = kernel.KernelDrops,
            TransmitRefused = Volatile.Read(ref _refused),
            Errors = kernel.InvalidEntries + kernel.Malformed + kernel.DriverDrops,
        };
        _binding.FastPath?.AddTo(ref statistics);
    }

    /// <summary>Sends what is left, if it can be sent at once, takes the program off the interface, and gives everything back.</summary>
    public void Dispose()
    {
        _socket.Kick();
        _binding.Dispose();
    }

    private int ReceiveWhole(PacketBatch batch)
    {
        int first = batch.Count, count = _socket.Receive(batch.FreeOffsets, batch.FreeLengths);
        batch.AddFilled(count);
        foreach (int offset in batch.Offsets[first..(first + count)])
        {
            _received[_receivedCount++] = _socket.ChunkOf(offset);
        }

        _withKernel -= count;
        return count;
    }

    /// <summary>Puts the port's chunks into the pool, which belongs to the worker: the port was opened by another thread.</summary>
    private void Bring()
    {
        _frames.Return(_brought);
        _brought = null;
        TopUp(0);
    }

    /// <summary>Tries again to send what the driver had no room for, and takes chunks back.</summary>
    private void Settle()
    {
        TakeBackSent();
        if (_sending > 0 && _socket.PendingFrames > 0)
        {
            Flush();
        }
    }

    private bool TryPut(PacketBatch batch, int packet, int length, bool shared) =>
        _sending < _ringEntries && ((shared && TryPass(batch, packet, length)) || TryCopy(batch, packet, length));

    /// <summary>Puts the frame into the ring as it lies: it must end in its chunk, and be passed on for the first time.</summary>
    private bool TryPass(PacketBatch batch, int packet, int length)
    {
        int offset = batch.Offsets[packet];
        if ((offset & _chunkMask) + length > _chunkMask + 1 || offset >= _umemBytes || (batch.Marks[packet] & PacketMarks.FramePassedOn) != 0
            || !_socket.TryTransmit(offset, length))
        {
            return false;
        }

        batch.Marks[packet] |= PacketMarks.FramePassedOn;
        _frames.Pass(_socket.ChunkOf(offset), _number);
        _sending++;
        return true;
    }

    private bool TryCopy(PacketBatch batch, int packet, int length)
    {
        if (length > _frames.ChunkBytes)
        {
            return TryCopyParts(batch, packet, length);
        }

        if (!_frames.TryTake(_number, out int chunk))
        {
            return false;
        }

        int offset = chunk * _frames.ChunkBytes;
        if (!_socket.TryTransmit(offset, length))
        {
            _frames.Return(chunk);
            return false;
        }

        batch.Memory.Slice(batch.Offsets[packet], length).CopyTo(_memory.Span[offset..]);
        _sending++;
        return true;
    }

    private void TakeBackSent()
    {
        int count;
        while ((count = _socket.TakeCompleted(_moving)) > 0)
        {
            _frames.Return(_moving.AsSpan(0, count));
            _sending -= count;
        }
    }

    /// <summary>Gives the kernel as many empty chunks as it had before: those in hand, then some of the pool.</summary>
    private void TopUp(int inHand)
    {
        while (true)
        {
            while (inHand < _moving.Length && inHand + _withKernel < _ringEntries && _frames.TryTake(_number, out int chunk))
            {
                _moving[inHand++] = chunk;
            }

            int given = _socket.Fill(_moving.AsSpan(0, Math.Min(inHand, _ringEntries - _withKernel)));
            _withKernel += given;
            _frames.Return(_moving.AsSpan(given, inHand - given));
            if (given == 0 || _withKernel == _ringEntries || _frames.Pooled == 0)
            {
                return;
            }

            inHand = 0;
        }
    }

    private int Refuse(PacketBatch batch, ReadOnlySpan<short> packets, DropReason reason)
    {
        foreach (short packet in packets)
        {
            batch.Drop(packet, reason);
        }

        Volatile.Write(ref _refused, _refused + packets.Length);
        return 0;
    }

    private void Look()
    {
        Volatile.Write(ref _lastLookNs, MonotonicClock.NowNs);
        Volatile.Write(ref _state, (int)_binding.LookAtInterface().ToLinkState());
    }
}
