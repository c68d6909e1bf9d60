using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port that loses, damages, doubles and reorders frames on their way to and from another port, by a seed.</summary>
/// <remarks>
/// <para>The engine's accounting stays exact: a frame lost on the way in was never received, one lost on the way out was transmitted; the
/// counters of both directions say what became of every frame. What the inner port refuses is refused to the engine, except for duplicates and late
/// frames, whose refusal comes after the engine was told; these are counted as <see cref="FaultCounters.Refused"/>.</para>
/// <para>Nothing stays in the port: late frames are handed on when no other frame waits (receive) and at the next <see cref="Flush"/> (transmit).
/// Every frame is copied once. Allocates nothing after construction.</para>
/// </remarks>
public sealed class FaultyPort : IPort
{
    private const int LinkBytes = 14 + (2 * 4);
    private const int LeastFrameBytes = 2048 - FrameRing.HeadroomBytes;

    private readonly IPort _inner;
    private readonly FaultLine _receive;
    private readonly FaultLine _transmit;
    private readonly PacketBatch _received = new();
    private readonly PacketBatch _leaving = new();
    private readonly int[] _leavingSlots = new int[PacketBatch.Capacity];
    private readonly short[] _all = [.. Enumerable.Range(0, PacketBatch.Capacity).Select(number => (short)number)];
    private readonly Queue<int> _lent = new(2 * PacketBatch.Capacity);
    private PortStatistics _statistics;

    /// <summary>Puts faults around a port, which is disposed with this one.</summary>
    /// <param name="inner">The port.</param>
    /// <param name="seed">Decides every fault; the same seed and frames give the same faults.</param>
    /// <param name="receive">Faults on the way in; null for none.</param>
    /// <param name="transmit">Faults on the way out; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="ArgumentException">The inner port takes unfinished frames.</exception>
    public FaultyPort(IPort inner, ulong seed, FaultOptions? receive = null, FaultOptions? transmit = null)
    {
        ArgumentNullException.ThrowIfNull(inner);
        receive ??= new FaultOptions();
        transmit ??= new FaultOptions();
        receive.Check();
        transmit.Check();
        if (inner.Offloads != FrameOffloads.None)
        {
            throw new ArgumentException("Faults are put into frames as they are on a wire, but the port leaves checksums and segments to be finished: open it without offload.", nameof(inner));
        }

        _inner = inner;
        int maxFrameBytes = Math.Max(inner.Mtu + LinkBytes, LeastFrameBytes);
        _receive = new FaultLine(receive, seed, maxFrameBytes);
        // The directions throw dice of their own, so that traffic one way does not change the other.
        _transmit = new FaultLine(transmit, ~seed, maxFrameBytes);
    }

    /// <inheritdoc/>
    public MacAddress Mac => _inner.Mac;

    /// <inheritdoc/>
    public int Mtu => _inner.Mtu;

    /// <inheritdoc/>
    public LinkState Link => _inner.Link;

    /// <inheritdoc/>
    public string LinkReason => _inner.LinkReason;

    /// <inheritdoc/>
    public string Description => _inner.Description;

    /// <inheritdoc/>
    public IReadOnlyList<PortEvent> ReadEvents() => _inner.ReadEvents();

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _inner.PollDescriptor;

    /// <summary>What happened to frames on the way in. Any thread; a snapshot.</summary>
    public FaultCounters ReceiveFaults => _receive.Counters;

    /// <summary>What happened to frames on the way out. Any thread; a snapshot.</summary>
    public FaultCounters TransmitFaults => _transmit.Counters;

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        // 0 means that none wait, and a worker may sleep on it: so go on until a frame is ready or the inner port has no more.
        int taken;
        do
        {
            taken = TakeFromInner(batch);
        }
        while (taken > 0 && _receive.ReadyFrames == 0);

        if (_receive.ReadyFrames == 0)
            _receive.LetLateGo();
        int count = 0;
        batch.SetMemory(_receive.Memory);
        while (_receive.ReadyFrames > 0 && batch.FreeOffsets.Length > 0)
        {
            int slot = _receive.Pop();
            batch.Add(_receive.OffsetOf(slot), _receive.LengthOf(slot));
            _lent.Enqueue(slot);
            _statistics.ReceivedBytes += _receive.LengthOf(slot);
            count++;
        }

        _receive.Counters.Delivered += count;
        _statistics.ReceivedPackets += count;
        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        for (int i = 0; i < batch.Count; i++)
            _receive.Free(_lent.Dequeue());
    }

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        int refused = 0;
        long bytes = 0;
        foreach (short packet in packets)
        {
            ReadOnlySpan<byte> frame = batch.Frame(packet);
            if (frame.Length > _transmit.MaxFrameBytes)
            {
                batch.Drop(packet, DropReason.FrameTooLong);
                refused++;
                continue;
            }

            _transmit.Push(frame, packet);
            bytes += frame.Length;
        }

        refused += HandToInner(batch, ref bytes);
        _transmit.ForgetOrigins();
        _statistics.TransmittedPackets += packets.Length - refused;
        _statistics.TransmittedBytes += bytes;
        _statistics.TransmitRefused += refused;
        return packets.Length - refused;
    }

    /// <inheritdoc/>
    public void Flush()
    {
        _transmit.LetLateGo();
        long bytes = 0;
        HandToInner(null, ref bytes);
        _inner.Flush();
    }

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker) => _inner.SetWaker(waker);

    /// <inheritdoc/>
    public void PrepareSleep() => _inner.PrepareSleep();

    /// <summary>Reads the counters of the engine's side; frames lost on the way in are <see cref="PortStatistics.KernelDrops"/>, on top of the inner port's own.</summary>
    public void ReadStatistics(out PortStatistics statistics)
    {
        _inner.ReadStatistics(out PortStatistics inner);
        statistics = _statistics;
        statistics.KernelDrops = inner.KernelDrops + _receive.Counters.Lost;
        statistics.Errors = inner.Errors;
    }

    /// <summary>Disposes the inner port.</summary>
    public void Dispose() => _inner.Dispose();

    private int TakeFromInner(PacketBatch batch)
    {
        if (_receive.FreeSlots < FaultLine.SlotsOfBatch)
            return 0;
        _received.Clear(batch.Port, batch.NowNs);
        int count = _inner.Receive(_received);
        for (int packet = 0; packet < count; packet++)
            _receive.Push(_received.Frame(packet), packet);
        if (count > 0)
            _inner.Release(_received);
        return count;
    }

    /// <summary>Hands everything that is ready to the inner port; returns how many frames of the engine's batch it refused.</summary>
    /// <param name="batch">The engine's batch, for refusals; null when it has been told already.</param>
    /// <param name="bytes">The bytes accepted, from which those refused are taken off.</param>
    private int HandToInner(PacketBatch? batch, ref long bytes)
    {
        int refused = 0;
        while (_transmit.ReadyFrames > 0)
        {
            _leaving.Clear(default, batch?.NowNs ?? _leaving.NowNs);
            _leaving.SetMemory(_transmit.Memory);
            while (_transmit.ReadyFrames > 0 && _leaving.Count < PacketBatch.Capacity)
            {
                int slot = _transmit.Pop();
                _leavingSlots[_leaving.Count] = slot;
                _leaving.Add(_transmit.OffsetOf(slot), _transmit.LengthOf(slot));
            }

            _inner.Transmit(_leaving, _all.AsSpan(0, _leaving.Count));
            for (int i = 0; i < _leaving.Count; i++)
            {
                if (!Settle(batch, i))
                {
                    refused++;
                    bytes -= batch!.Lengths[_transmit.OriginOf(_leavingSlots[i])];
                }

                _transmit.Free(_leavingSlots[i]);
            }
        }

        return refused;
    }

    /// <summary>Counts what became of a frame handed to the inner port; false when the engine is told that it was refused.</summary>
    private bool Settle(PacketBatch? batch, int leaving)
    {
        if (_leaving.VerdictOf(leaving) != Verdict.Drop)
        {
            _transmit.Counters.Delivered++;
            return true;
        }

        int origin = _transmit.OriginOf(_leavingSlots[leaving]);
        if (batch is null || origin < 0)
        {
            _transmit.Counters.Refused++;
            return true;
        }

        batch.Drop(origin, _leaving.ReasonOf(leaving));
        _transmit.Counters.Offered--;
        return false;
    }
}
