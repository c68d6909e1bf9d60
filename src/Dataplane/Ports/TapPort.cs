using System.Runtime.InteropServices;
using Dataplane.Native;
using Dataplane.Native.Abi;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port whose other end is an interface of the kernel: one system call per frame each way.</summary>
/// <remarks>
/// With offloads a frame may be a super-frame of 64 KB, which crosses the engine as one packet and costs one read and one write. Frames are put behind
/// each other where they are read, so that the memory in use stays as small as the frames are, and in the cache. The offload header of a frame that
/// leaves is written into the head-room before it, so that header and frame go with one plain write.
/// </remarks>
internal sealed class TapPort : IPassedPort
{
    /// <summary>Frames taken per call, so that a flood on this port does not keep the worker from the others.</summary>
    private const int MaxBurst = 64;

    private const int HeadroomBytes = 64;
    private const int CacheLineBytes = 64;

    /// <summary>Where a frame begins in its room: behind the head-room, and so that the IP header is on a multiple of four.</summary>
    private const int FrameStart = HeadroomBytes + 2;

    private const int EthernetHeaderBytes = 14;
    private const int VlanTagBytes = 4;

    /// <summary>Room for the frames of one burst: 64 of 1,500 bytes and the longest, or four of the longest.</summary>
    private const int RegionBytes = 288 << 10;

    private const long LookIntervalNs = 10_000_000;

    private readonly TapDevice _device;
    private readonly MappedRegion _region;
    private readonly Memory<byte> _memory;
    private readonly int _maxFrameBytes;
    private readonly int _headerBytes;
    private readonly int _readBytes;
    private long _lastLookNs;
    private long _receivedPackets;
    private long _receivedBytes;
    private long _transmittedPackets;
    private long _transmittedBytes;
    private long _refused;
    private long _errors;
    private long _receivedSuperFrames;
    private long _transmittedSuperFrames;
    private bool _isPaused;

    public TapPort(TapDevice device, MacAddress? mac)
    {
        _device = device;
        Mac = mac ?? OtherEndOf(device.Interface.HardwareAddress);
        Mtu = device.Interface.MtuBytes;
        _maxFrameBytes = Mtu + EthernetHeaderBytes + VlanTagBytes;
        _headerBytes = device.HeaderBytes;

        // One byte more than the longest frame tells a frame that was cut.
        _readBytes = (Offloads == FrameOffloads.None ? _maxFrameBytes : Math.Max(_maxFrameBytes, ushort.MaxValue)) + 1;
        _region = MappedRegion.Allocate(Math.Max(RegionBytes, FrameStart + _readBytes));
        _memory = _region.Memory;
    }

    /// <inheritdoc/>
    public FrameOffloads Offloads => _device.Offloads;

    /// <inheritdoc/>
    public string Description => Offloads switch
    {
        FrameOffloads.None => _device.OffloadNote.Length == 0 ? "" : $"no offload: {_device.OffloadNote}",
        FrameOffloads.Checksum | FrameOffloads.Tcp | FrameOffloads.Udp => "offload: checksums, TCP and UDP super-frames",
        _ => $"offload: checksums, TCP super-frames; {_device.OffloadNote}",
    };

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
    public FileDescriptor PassedDescriptor => _device.Descriptor;

    /// <inheritdoc/>
    public bool IsPaused
    {
        get => Volatile.Read(ref _isPaused);
        set => Volatile.Write(ref _isPaused, value);
    }

    /// <inheritdoc/>
    public bool IsAtRest => true;

    /// <inheritdoc/>
    public int Position
    {
        get => 0;
        set => ArgumentOutOfRangeException.ThrowIfNotEqual(value, 0);
    }

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        batch.SetMemory(_memory);
        if (IsPaused)
        {
            return 0;
        }

        Span<byte> memory = _memory.Span;
        int count = 0;
        long bytes = 0;
        for (int at = 0; count < MaxBurst && at + FrameStart + _readBytes <= memory.Length;)
        {
            int offset = at + FrameStart;
            int length = _device.Read(memory.Slice(offset - _headerBytes, _headerBytes + _readBytes)) - _headerBytes;
            if (length <= 0)
            {
                break;
            }

            virtio_net_hdr header = _headerBytes == 0 ? default : MemoryMarshal.Read<virtio_net_hdr>(memory[(offset - _headerBytes)..]);
            if (length > (header.gso_type == VirtioNet.VIRTIO_NET_HDR_GSO_NONE ? _maxFrameBytes : ushort.MaxValue))
            {
                // The interface's MTU was raised behind our back.
                Volatile.Write(ref _errors, _errors + 1);
                continue;
            }

            batch.Add(offset, length);
            if (((header.flags & VirtioNet.VIRTIO_NET_HDR_F_NEEDS_CSUM) | header.gso_type) != 0 && OffloadHeader.Note(batch, count, in header))
            {
                Volatile.Write(ref _receivedSuperFrames, _receivedSuperFrames + 1);
            }

            bytes += length;
            count++;
            at = (offset + length + CacheLineBytes - 1) & -CacheLineBytes;
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
        Span<byte> memory = batch.Memory;
        int accepted = 0;
        long bytes = 0;
        foreach (short packet in packets)
        {
            int length = batch.Lengths[packet];
            if (length > _maxFrameBytes && (batch.Marks[packet] & PacketMarks.SuperFrame) == 0)
            {
                Refuse(batch, packet, DropReason.FrameTooLong);
                continue;
            }

            if (_headerBytes != 0)
            {
                virtio_net_hdr header = OffloadHeader.Of(batch, packet);
                MemoryMarshal.Write(memory[(batch.Offsets[packet] - _headerBytes)..], in header);
                if (header.gso_type != VirtioNet.VIRTIO_NET_HDR_GSO_NONE)
                {
                    Volatile.Write(ref _transmittedSuperFrames, _transmittedSuperFrames + 1);
                }
            }

            if (_device.TryWrite(memory.Slice(batch.Offsets[packet] - _headerBytes, _headerBytes + length)))
            {
                accepted++;
                bytes += length;
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
        ReceivedSuperFrames = Volatile.Read(ref _receivedSuperFrames),
        TransmittedSuperFrames = Volatile.Read(ref _transmittedSuperFrames),
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
