using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port on an Ethernet interface.</summary>
/// <remarks>
/// Frames are worked on where the kernel put them, and copied once, into the transmit ring of the port they leave by.
/// When the driver has no room, frames wait in the transmit ring, in order, and every round of the worker tries again; new frames are
/// refused once the ring is full. What has waited longer than <see cref="CongestionLimitNs"/> without anything leaving is given up.
/// </remarks>
internal sealed class AfPacketPort : IPassedPort
{
    /// <summary>Longest time that frames wait for a driver that takes none.</summary>
    private const long CongestionLimitNs = 20_000_000;

    /// <summary>Shortest time between two looks at the interface's state, which cost system calls.</summary>
    private const long LookIntervalNs = 10_000_000;

    private const int EthernetHeaderBytes = 14;

    private readonly AfPacketReceiver _receiver;
    private readonly AfPacketTransmitter _transmitter;
    private readonly Memory<byte> _memory;
    private long _lastLookNs;
    private int _withdrawn;                                                // accepted, and not yet said to be lost
    private DropReason _withdrawnFor;
    private long _stuckSinceNs;
    private long _refused;
    private long _receivedSuperFrames;
    private long _transmittedSuperFrames;

    public AfPacketPort(AfPacketReceiver receiver, AfPacketTransmitter transmitter, MacAddress? mac, int? mtu, bool offload)
    {
        Offloads = offload ? FrameOffloads.Checksum | FrameOffloads.Tcp | FrameOffloads.Udp : FrameOffloads.None;
        _receiver = receiver;
        _transmitter = transmitter;
        _memory = receiver.Region.Memory;
        Mac = mac ?? new MacAddress(receiver.Interface.HardwareAddress);
        Mtu = Math.Min(mtu ?? int.MaxValue, receiver.Interface.MtuBytes);
    }

    /// <inheritdoc/>
    /// <remarks>What the device cannot do, the kernel does before it hands a frame to it.</remarks>
    public FrameOffloads Offloads { get; }

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

            return _receiver.State.ToLinkState();
        }
    }

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _receiver.Descriptor;

    /// <inheritdoc/>
    public FileDescriptor PassedDescriptor => _receiver.Descriptor;

    /// <inheritdoc/>
    public bool IsPaused
    {
        get => _receiver.IsPaused;
        set => _receiver.IsPaused = value;
    }

    /// <inheritdoc/>
    public bool IsAtRest => _receiver.IsAtRest && _transmitter.PendingFrames == 0;

    /// <inheritdoc/>
    public int Position
    {
        get => _receiver.Position;
        set => _receiver.Position = value;
    }

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        if (_transmitter.PendingFrames > 0)
        {
            Flush();
        }

        batch.SetMemory(_memory);
        int count = _receiver.Receive(batch.FreeOffsets, batch.FreeLengths);
        batch.AddFilled(count);
        foreach (UnfinishedFrame frame in _receiver.Unfinished)
        {
            if (OffloadHeader.Note(batch, frame.Index, frame.Header))
            {
                Volatile.Write(ref _receivedSuperFrames, _receivedSuperFrames + 1);
            }
        }

        if (count == 0 && MonotonicClock.NowNs - _lastLookNs >= LookIntervalNs)
        {
            // An interface that went down leaves an error that would end every sleep of the worker at once: looking takes it.
            Look();
        }

        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch) => _receiver.ReleaseReceived();

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        if (_receiver.State != InterfaceState.Up && Link != LinkState.Up)
        {
            return Refuse(batch, packets, DropReason.LinkDown);
        }

        Span<byte> memory = batch.Memory;
        int accepted = 0;
        for (int i = 0; i < packets.Length; i++)
        {
            int packet = packets[i];
            int length = batch.Lengths[packet];
            if (!_transmitter.TryReserve(length, out Span<byte> slot))
            {
                if (!IsLengthInRange(length))
                {
                    if ((batch.Marks[packet] & PacketMarks.SuperFrame) != 0)
                    {
                        accepted += SendSuperFrame(batch, packets.Slice(i, 1));
                        continue;
                    }

                    Refuse(batch, packets.Slice(i, 1), DropReason.FrameTooLong);
                    continue;
                }

                // Full with frames that were never offered to the kernel: let it have them, then look again.
                Flush();
                if (!_transmitter.TryReserve(length, out slot))
                {
                    return accepted + Refuse(batch, packets[i..], DropReason.TransmitRingFull);
                }
            }

            memory.Slice(batch.Offsets[packet], length).CopyTo(slot);
            _transmitter.SubmitUnfinished(batch.HasOffloads ? OffloadHeader.Of(batch, packet) : default);
            accepted++;
        }

        return accepted;
    }

    /// <inheritdoc/>
    public void Flush()
    {
        int before = _transmitter.PendingFrames;
        switch (_transmitter.Kick())
        {
            case TransmitResult.Done:
                _stuckSinceNs = 0;
                break;
            case TransmitResult.Congested:
                WaitOrGiveUp(moved: _transmitter.PendingFrames < before);
                break;
            case TransmitResult.LinkDown or TransmitResult.Gone:
                Withdraw(DropReason.LinkDown);
                Look();
                break;
        }
    }

    /// <inheritdoc/>
    int IPort.TakeWithdrawn(bool isEnd, out DropReason reason)
    {
        if (isEnd)
        {
            _transmitter.Kick();
            Withdraw(DropReason.Stopped);
        }

        reason = _withdrawnFor;
        int withdrawn = _withdrawn;
        _withdrawn = 0;
        return withdrawn;
    }

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // The worker sleeps on the descriptor.
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics)
    {
        AfPacketReceiveStatistics rx = _receiver.ReadStatistics();
        AfPacketTransmitStatistics tx = _transmitter.ReadStatistics();
        statistics = new PortStatistics
        {
            ReceivedPackets = rx.Frames,
            ReceivedBytes = rx.Bytes,
            TransmittedPackets = tx.SubmittedFrames,
            TransmittedBytes = tx.SubmittedBytes,
            KernelDrops = rx.KernelDrops,
            TransmitRefused = Volatile.Read(ref _refused),
            TransmitLost = tx.WithdrawnFrames,
            ReceivedSuperFrames = Volatile.Read(ref _receivedSuperFrames),
            TransmittedSuperFrames = Volatile.Read(ref _transmittedSuperFrames),
            Errors = rx.Malformed + rx.Oversized + rx.UnsupportedSuperFrames + tx.RejectedFrames,
        };
    }

    /// <summary>Sends what is left, if it can be sent at once, and closes both rings.</summary>
    public void Dispose()
    {
        _transmitter.Kick();
        _transmitter.Dispose();
        _receiver.Dispose();
    }

    /// <summary>Sends a frame that is longer than a slot; its header goes into the head-room before it.</summary>
    private int SendSuperFrame(PacketBatch batch, ReadOnlySpan<short> packet)
    {
        int headerBytes = AfPacketTransmitter.OffloadHeaderBytes;
        Span<byte> frame = batch.Memory.Slice(batch.Offsets[packet[0]] - headerBytes, headerBytes + batch.Lengths[packet[0]]);
        virtio_net_hdr header = OffloadHeader.Of(batch, packet[0]);
        MemoryMarshal.Write(frame, in header);
        TransmitResult result = _transmitter.SendSuperFrame(frame);
        if (result == TransmitResult.Done)
        {
            Volatile.Write(ref _transmittedSuperFrames, _transmittedSuperFrames + 1);
            return 1;
        }

        return Refuse(batch, packet, result == TransmitResult.Congested ? DropReason.TransmitRingFull : DropReason.LinkDown);
    }

    private bool IsLengthInRange(int length) => length >= EthernetHeaderBytes && length <= _transmitter.MaxFrameBytes;

    private void WaitOrGiveUp(bool moved)
    {
        long now = MonotonicClock.NowNs;
        if (moved || _stuckSinceNs == 0)
        {
            _stuckSinceNs = now;
        }
        else if (now - _stuckSinceNs >= CongestionLimitNs)
        {
            Withdraw(DropReason.TransmitRingFull);
            Look();
        }

        // Whoever empties the device's queue may need this processor to do it.
        Thread.Yield();
    }

    /// <summary>Takes back what the kernel has not sent.</summary>
    private void Withdraw(DropReason reason)
    {
        int count = _transmitter.Withdraw();
        if (count > 0)
        {
            _withdrawn += count;
            _withdrawnFor = reason;
        }

        _stuckSinceNs = 0;
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
        _receiver.RefreshState();
    }
}
