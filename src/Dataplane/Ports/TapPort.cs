using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port whose other end is an interface of the kernel: one system call per frame each way.</summary>
internal sealed class TapPort : IPort
{
    /// <summary>Frames taken per call, so that a flood on this port does not keep the worker from the others.</summary>
    private const int MaxBurst = 64;

    private const int HeadroomBytes = 64;
    private const int EthernetHeaderBytes = 14;
    private const int VlanTagBytes = 4;

    private const long LookIntervalNs = 10_000_000;

    private readonly TapDevice _device;
    private readonly MappedRegion _region;
    private readonly Memory<byte> _memory;
    private readonly int _maxFrameBytes;
    private readonly int _slotBytes;
    private long _lastLookNs;
    private long _receivedPackets;
    private long _receivedBytes;
    private long _transmittedPackets;
    private long _transmittedBytes;
    private long _refused;
    private long _errors;

    public TapPort(TapDevice device, MacAddress? mac)
    {
        _device = device;
        Mac = mac ?? OtherEndOf(device.Interface.HardwareAddress);
        Mtu = device.Interface.MtuBytes;
        _maxFrameBytes = Mtu + EthernetHeaderBytes + VlanTagBytes;

        // One byte more than the longest frame tells a frame that was cut; two more put the IP header on a multiple of four.
        _slotBytes = (HeadroomBytes + 2 + _maxFrameBytes + 1 + 63) & ~63;
        _region = MappedRegion.Allocate(_slotBytes * MaxBurst);
        _memory = _region.Memory;
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
                Volatile.Write(ref _lastLookNs, MonotonicClock.NowNs);
                _device.RefreshState();
            }

            return _device.State.ToLinkState();
        }
    }

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _device.Descriptor;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        batch.SetMemory(_memory);
        Span<byte> memory = _memory.Span;
        int count = 0;
        long bytes = 0;
        while (count < MaxBurst)
        {
            int offset = (count * _slotBytes) + HeadroomBytes + 2;
            int length = _device.Read(memory.Slice(offset, _maxFrameBytes + 1));
            if (length <= 0)
            {
                break;
            }

            if (length > _maxFrameBytes)
            {
                // The interface's MTU was raised behind our back.
                Volatile.Write(ref _errors, _errors + 1);
                continue;
            }

            batch.Add(offset, length);
            bytes += length;
            count++;
        }

        Volatile.Write(ref _receivedPackets, _receivedPackets + count);
        Volatile.Write(ref _receivedBytes, _receivedBytes + bytes);
        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        // The next receive writes over the frames; until then they are the batch's.
    }

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        ReadOnlySpan<byte> memory = batch.Memory;
        int accepted = 0;
        long bytes = 0;
        foreach (short packet in packets)
        {
            ReadOnlySpan<byte> frame = memory.Slice(batch.Offsets[packet], batch.Lengths[packet]);
            if (frame.Length > _maxFrameBytes)
            {
                Refuse(batch, packet, DropReason.FrameTooLong);
            }
            else if (_device.TryWrite(frame))
            {
                accepted++;
                bytes += frame.Length;
            }
            else
            {
                Refuse(batch, packet, _device.State == InterfaceState.Up ? DropReason.TransmitRingFull : DropReason.LinkDown);
            }
        }

        Volatile.Write(ref _transmittedPackets, _transmittedPackets + accepted);
        Volatile.Write(ref _transmittedBytes, _transmittedBytes + bytes);
        return accepted;
    }

    /// <inheritdoc/>
    public void Flush()
    {
        // Each frame left when it was written.
    }

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker)
    {
        // The worker sleeps on the descriptor.
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = new PortStatistics
    {
        ReceivedPackets = Volatile.Read(ref _receivedPackets),
        ReceivedBytes = Volatile.Read(ref _receivedBytes),
        TransmittedPackets = Volatile.Read(ref _transmittedPackets),
        TransmittedBytes = Volatile.Read(ref _transmittedBytes),
        TransmitRefused = Volatile.Read(ref _refused),
        Errors = Volatile.Read(ref _errors),
    };

    /// <summary>Closes the device, which goes away unless it was made to persist.</summary>
    public void Dispose()
    {
        _device.Dispose();
        _region.Dispose();
    }

    /// <summary>A locally administered address next to the kernel's, since both ends of a wire need one.</summary>
    private static MacAddress OtherEndOf(ulong address)
    {
        const ulong LocalBit = 0x0200_0000_0000;
        return new MacAddress((address ^ 1) | LocalBit);
    }

    private void Refuse(PacketBatch batch, short packet, DropReason reason)
    {
        batch.Drop(packet, reason);
        Volatile.Write(ref _refused, _refused + 1);
    }
}
