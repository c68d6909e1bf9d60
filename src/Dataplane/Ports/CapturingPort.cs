using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port that writes what passes through another port to capture files.</summary>
/// <remarks>Captured is what the engine received, as it was received, and what the inner port accepted from the engine. A file that cannot be
/// written ends the capture, not the traffic: see <see cref="Fault"/>. Writes on the worker's thread, and so is for tests and for looking
/// into things, not for full load.</remarks>
public sealed class CapturingPort : IPort
{
    private readonly IPort _inner;
    private readonly CaptureFileWriter? _received;
    private readonly CaptureFileWriter? _transmitted;
    private IOException? _fault;
    private long _captured;
    private long _missed;

    /// <summary>Captures around a port, which is disposed with this one, as are the files.</summary>
    /// <param name="inner">The port.</param>
    /// <param name="received">Where received frames go; null: nowhere.</param>
    /// <param name="transmitted">Where transmitted frames go; null: nowhere. May be the same as <paramref name="received"/>.</param>
    public CapturingPort(IPort inner, CaptureFileWriter? received, CaptureFileWriter? transmitted)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _inner = inner;
        _received = received;
        _transmitted = transmitted;
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
    FrameOffloads IPort.Offloads => _inner.Offloads;

    /// <inheritdoc/>
    public IReadOnlyList<PortEvent> ReadEvents() => _inner.ReadEvents();

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => _inner.PollDescriptor;

    /// <summary>Added to the time of the batch for the times in the files, in nanoseconds; 0 suits a clock that counts from 1970. See <see cref="PcapPortFactory.SystemTimeOffsetNs"/>.</summary>
    public long TimeOffsetNs { get; init; }

    /// <summary>Frames written to either file. Any thread.</summary>
    public long CapturedFrames => Volatile.Read(ref _captured);

    /// <summary>Frames that passed after a file could not be written. Any thread.</summary>
    public long MissedFrames => Volatile.Read(ref _missed);

    /// <summary>What ended the capture; null while it goes on. Any thread.</summary>
    public IOException? Fault => Volatile.Read(ref _fault);

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        int first = batch.Count;
        int count = _inner.Receive(batch);
        if (_received is not null)
        {
            for (int packet = first; packet < first + count; packet++)
                Capture(_received, batch, packet);
        }

        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch) => _inner.Release(batch);

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        int count = _inner.Transmit(batch, packets);
        if (_transmitted is not null)
        {
            foreach (short packet in packets)
            {
                if (batch.VerdictOf(packet) != Verdict.Drop)
                    Capture(_transmitted, batch, packet);
            }
        }

        return count;
    }

    /// <inheritdoc/>
    public void Flush() => _inner.Flush();

    /// <inheritdoc/>
    int IPort.TakeWithdrawn(bool isEnd, out DropReason reason) => _inner.TakeWithdrawn(isEnd, out reason);

    /// <inheritdoc/>
    public void SetWaker(IPortWaker waker) => _inner.SetWaker(waker);

    /// <inheritdoc/>
    public void PrepareSleep() => _inner.PrepareSleep();

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => _inner.ReadStatistics(out statistics);

    /// <summary>Disposes the inner port and closes the files; what they do not take then shows as <see cref="Fault"/>.</summary>
    public void Dispose()
    {
        _inner.Dispose();
        Close(_received);
        Close(_transmitted);
    }

    private void Capture(CaptureFileWriter writer, PacketBatch batch, int packet)
    {
        if (_fault is not null)
        {
            _missed++;
            return;
        }

        try
        {
            writer.Write(batch.NowNs + TimeOffsetNs, batch.Frame(packet));
            _captured++;
        }
        catch (IOException exception)
        {
            Volatile.Write(ref _fault, exception);
            _missed++;
        }
    }

    private void Close(CaptureFileWriter? writer)
    {
        try
        {
            writer?.Dispose();
        }
        catch (IOException exception)
        {
            Interlocked.CompareExchange(ref _fault, exception, null);
        }
    }
}
