using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>The queues of a memif port that one worker runs: all of them, or its share.</summary>
/// <remarks>
/// <para>Cost per small frame, both ways: the line of the received frame and a quarter line of descriptors come from the peer's processor; a line
/// of the arena is written and stays in the first-level cache, where the stages work on it; the line of the sent frame and a quarter line of
/// descriptors are written and fetched by the peer. Per batch: the peer's index read once, ours written once in each direction.</para>
/// <para>Why frames are copied out and not worked on in place: the peer can write to the shared memory at any time, so that what was
/// judged and what leaves could differ; the peer's buffers have no head-room; and lines that we had written to would have to come back. See
/// <see cref="MemifReceiver"/>.</para>
/// </remarks>
internal sealed class MemifLane : IPort
{
    private readonly MemifPort _port;
    private readonly MemifArena _arena;
    private readonly Memory<byte> _memory;
    private readonly PollSet _events;
    private readonly short[] _queued = new short[PacketBatch.Capacity];
    private readonly int _maxFrameBytes;
    private MemifShare? _published;
    private MemifShare? _current;
    private IPort? _elsewhere;
    private int _firstQueue;
    private long _receivedPackets;
    private long _receivedBytes;
    private long _transmittedPackets;
    private long _transmittedBytes;
    private long _refused;
    private long _errors;

    public MemifLane(MemifPort port)
    {
        _port = port;
        _maxFrameBytes = port.Settings.MaxFrameBytes;
        _events = new PollSet();
        _arena = new MemifArena(PacketBatch.Capacity, _maxFrameBytes);
        _memory = _arena.Region.Memory;
    }

    /// <inheritdoc/>
    public MacAddress Mac => _port.Mac;

    /// <inheritdoc/>
    public int Mtu => _port.Mtu;

    /// <inheritdoc/>
    public LinkState Link => Volatile.Read(ref _published) is null ? LinkState.Down : LinkState.Up;

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _events.Descriptor;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        batch.SetMemory(_memory);
        MemifShare? share = Current();
        if (share is null)
            return 0;
        _arena.Clear();
        MemifReceiver[] receivers = share.Receivers;
        int count = 0, queue = _firstQueue;
        for (int i = 0; i < receivers.Length && count < PacketBatch.Capacity; i++)
        {
            MemifReceiver receiver = receivers[queue];
            count += receiver.Receive(_arena, batch.FreeOffsets[count..], batch.FreeLengths[count..]);
            if (receiver.HasTrouble)
                Examine(share, receiver);
            queue = queue + 1 < receivers.Length ? queue + 1 : 0;
        }

        if (count > 0)
        {
            Volatile.Write(ref _receivedPackets, _receivedPackets + count);
            Volatile.Write(ref _receivedBytes, _receivedBytes + SumOf(batch.FreeLengths[..count]));
            batch.AddFilled(count);
        }

        _firstQueue = queue;
        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        // The frames are copies, which the next receive writes over; the peer had its buffers back when they were made.
    }

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        MemifShare? share = Current();
        if (share is null)
            return Refuse(batch, packets, DropReason.LinkDown);
        MemifTransmitter[] transmitters = share.Transmitters;
        if (transmitters.Length == 0)
            return _elsewhere!.Transmit(batch, packets);
        long bytes = 0;
        int accepted = transmitters.Length == 1
            ? Send(share, transmitters[0], batch, packets, ref bytes)
            : Spread(share, transmitters, batch, packets, ref bytes);
        Volatile.Write(ref _transmittedPackets, _transmittedPackets + accepted);
        Volatile.Write(ref _transmittedBytes, _transmittedBytes + bytes);
        return accepted;
    }

    /// <inheritdoc/>
    public void Flush()
    {
        MemifShare? share = Current();
        if (share is null)
            return;
        foreach (MemifTransmitter transmitter in share.Transmitters)
            transmitter.Publish();
    }

    /// <inheritdoc/>
    public void PrepareSleep()
    {
        MemifShare? share = Current();
        if (share is null)
            return;
        foreach (MemifReceiver receiver in share.Receivers)
            receiver.PrepareSleep();
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

    /// <summary>Gives the arena back. Nothing may call the lane any more.</summary>
    public void Dispose()
    {
        _events.Dispose();
        _arena.Dispose();
    }

    /// <summary>Says where frames go when the peer has fewer queues than there are workers, and none is left for this one. Before the worker begins.</summary>
    internal void SendElsewhere(IPort port) => _elsewhere ??= port;

    /// <summary>The agent has queues for the worker.</summary>
    internal void Publish(MemifShare share)
    {
        foreach (MemifReceiver receiver in share.Receivers)
            _events.TryAdd(receiver.Interrupt.Descriptor);
        Volatile.Write(ref _published, share);
    }

    /// <summary>The agent takes them away.</summary>
    internal void Withdraw()
    {
        MemifShare? share = Interlocked.Exchange(ref _published, null);
        foreach (MemifReceiver receiver in share?.Receivers ?? [])
            _events.Remove(receiver.Interrupt.Descriptor);
    }

    private static long SumOf(ReadOnlySpan<int> lengths)
    {
        long sum = 0;
        foreach (int length in lengths)
            sum += length;
        return sum;
    }

    /// <summary>The connection to work on; takes over what the agent has published since the last call.</summary>
    private MemifShare? Current()
    {
        MemifShare? published = Volatile.Read(ref _published);
        return ReferenceEquals(published, _current) ? published : TakeOver(published);
    }

    private MemifShare? TakeOver(MemifShare? published)
    {
        if (_current is not null)
        {
            _current.LetGo();
            MemifAgent.Wake();
        }

        _firstQueue = 0;
        _current = published is not null && published.TryAdopt() ? published : null;
        return _current;
    }

    private void Examine(MemifShare share, MemifReceiver receiver)
    {
        Volatile.Write(ref _errors, _errors + receiver.TakeMalformed());
        Examine(share, receiver.Fault);
    }

    private void Examine(MemifShare share, MemifFault fault)
    {
        if (fault == MemifFault.None || !share.Connection.TryReport(fault))
            return;
        Volatile.Write(ref _errors, _errors + 1);
        MemifAgent.Wake();
    }

    /// <summary>Sends by one queue.</summary>
    private int Send(MemifShare share, MemifTransmitter transmitter, PacketBatch batch, ReadOnlySpan<short> packets, ref long bytes)
    {
        ReadOnlySpan<byte> memory = batch.Memory;
        int accepted = 0;
        while (true)
        {
            int count = transmitter.Write(memory, batch.Offsets, batch.Lengths, packets, ref bytes);
            accepted += count;
            packets = packets[count..];
            if (packets.IsEmpty)
                return accepted;
            if ((uint)(batch.Lengths[packets[0]] - 1) < (uint)_maxFrameBytes)
                break;
            Refuse(batch, packets[..1], DropReason.FrameTooLong);
            packets = packets[1..];
        }

        Examine(share, transmitter.Fault);
        Refuse(batch, packets, transmitter.Fault == MemifFault.None ? DropReason.TransmitRingFull : DropReason.LinkDown);
        return accepted;
    }

    /// <summary>Sends each packet by the queue that its flow belongs to, so that the peer's queues share the load and flows stay in order.</summary>
    private int Spread(MemifShare share, MemifTransmitter[] transmitters, PacketBatch batch, ReadOnlySpan<short> packets, ref long bytes)
    {
        int accepted = 0;
        for (int queue = 0; queue < transmitters.Length; queue++)
        {
            int count = 0;
            foreach (short packet in packets)
            {
                if ((int)(((ulong)batch.HashOf(packet) * (uint)transmitters.Length) >> 32) == queue)
                    _queued[count++] = packet;
            }

            if (count > 0)
                accepted += Send(share, transmitters[queue], batch, _queued.AsSpan(0, count), ref bytes);
        }

        return accepted;
    }

    private int Refuse(PacketBatch batch, ReadOnlySpan<short> packets, DropReason reason)
    {
        foreach (short packet in packets)
            batch.Drop(packet, reason);
        Volatile.Write(ref _refused, _refused + packets.Length);
        return 0;
    }
}
