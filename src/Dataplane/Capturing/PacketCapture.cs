using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Dataplane.Capturing;

/// <summary>A capture of a running engine: packets are copied out by the workers as they pass, and read here.</summary>
/// <remarks>It begins when it is made, ends by its limits, with the engine or when it is disposed, and is read once: by <see cref="WriteAsync"/> or by <see cref="ReadAllAsync"/>.
/// A reader that is too slow loses packets, which are counted; forwarding never waits for it. What packets of a kernel fast path (<c>offload: xdp</c>) do is not seen.</remarks>
public sealed class PacketCapture : IAsyncDisposable
{
    private const int WriteBytes = 1 << 18, WaitMilliseconds = 10;

    private readonly CaptureOptions _options;
    private readonly CaptureLane[] _lanes;
    private readonly long _unixOffsetNs;
    private readonly Action<PacketCapture> _end;
    private readonly long _begun = Stopwatch.GetTimestamp();
    private long _read;
    private long _reported;
    private int _readers;
    private int _ended;

    internal PacketCapture(CaptureOptions options, CaptureLane[] lanes, long unixOffsetNs, Action<PacketCapture> end)
    {
        (_options, _lanes, _unixOffsetNs, _end) = (options, lanes, unixOffsetNs, end);
    }

    /// <summary>Packets handed to the reader so far. Any thread.</summary>
    public long Captured => Volatile.Read(ref _read);

    /// <summary>Packets the filter takes for which there was no room, since the reader was too slow. Any thread.</summary>
    public long NotCaptured => _lanes.Sum(lane => lane.Missed);

    /// <summary>Whether it takes no more packets. Any thread.</summary>
    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    /// <summary>Packets copied out by the workers, read or not. Any thread.</summary>
    internal long CopiedOut => _lanes.Sum(lane => lane.Captured);

    internal CaptureLane LaneOf(int worker) => _lanes[worker];

    /// <summary>Writes pcapng until the capture ends: an interface for each port, the direction of each packet, and as its comment what became of it.</summary>
    /// <param name="stream">Where it goes; flushed whenever no packet waits, not closed.</param>
    /// <param name="cancellationToken">Ends the capture.</param>
    /// <exception cref="IOException">The stream takes no more; the capture is over.</exception>
    /// <exception cref="InvalidOperationException">The capture is being read already.</exception>
    public async Task WriteAsync(Stream stream, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        BeginToRead();
        try
        {
            var writer = new PcapngWriter(_options.Filter, _options.SnapLengthBytes);
            await stream.WriteAsync(writer.Pending, cancellationToken).ConfigureAwait(false);
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
            long written = writer.Pending.Length;
            while (true)
            {
                writer.Clear();
                bool isLast = IsOver();
                bool isFull = Fill(writer, written);
                if (writer.Pending.Length > 0)
                {
                    await stream.WriteAsync(writer.Pending, cancellationToken).ConfigureAwait(false);
                    written += writer.Pending.Length;
                }

                if (isFull || (isLast && writer.Pending.Length == 0))
                {
                    break;
                }

                if (writer.Pending.Length < WriteBytes)
                {
                    await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                    await WaitAsync(isLast, cancellationToken).ConfigureAwait(false);
                }
            }

            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            End();
        }
    }

    /// <summary>Reads packet by packet until the capture ends.</summary>
    /// <param name="cancellationToken">Ends the capture.</param>
    /// <exception cref="InvalidOperationException">The capture is being read already.</exception>
    public async IAsyncEnumerable<CapturedPacket> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        BeginToRead();
        try
        {
            while (!HasAll())
            {
                bool isLast = IsOver();
                if (Take() is { } packet)
                {
                    yield return packet;
                    continue;
                }

                if (isLast)
                {
                    break;
                }

                await WaitAsync(isLast, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            End();
        }
    }

    /// <summary>Ends the capture; a reader gets what has been captured until now.</summary>
    public void End()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            _end(this);
        }
    }

    /// <summary>Ends the capture.</summary>
    public ValueTask DisposeAsync()
    {
        End();
        return ValueTask.CompletedTask;
    }

    private void BeginToRead()
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
        {
            throw new InvalidOperationException("The capture has a reader; begin another one.");
        }
    }

    private bool HasAll() => _read >= (_options.MaxPackets ?? long.MaxValue);

    /// <summary>Whether nothing will come any more but what waits already.</summary>
    private bool IsOver()
    {
        if (!HasEnded && _options.Duration is { } most && Stopwatch.GetElapsedTime(_begun) >= most)
        {
            End();
        }

        return HasEnded;
    }

    private static Task WaitAsync(bool isLast, CancellationToken cancellationToken) => isLast ? Task.CompletedTask : Task.Delay(WaitMilliseconds, cancellationToken);

    /// <summary>Writes what waits, the oldest first.</summary>
    /// <returns>True when the limits are reached.</returns>
    private bool Fill(PcapngWriter writer, long written)
    {
        while (writer.Pending.Length < WriteBytes)
        {
            if (HasAll() || (_options.MaxBytes is { } most && written + writer.Pending.Length >= most))
            {
                return true;
            }

            if (Oldest() is not { } lane || !lane.Ring.TryPeek(out CaptureRecord record, out ReadOnlySpan<byte> frame))
            {
                return false;
            }

            long missed = NotCaptured;
            writer.Write(in record, frame, record.TimeNs + _unixOffsetNs, missed - _reported);
            _reported = missed;
            lane.Ring.Release();
            Volatile.Write(ref _read, _read + 1);
        }

        return false;
    }

    private CapturedPacket? Take()
    {
        if (Oldest() is not { } lane || !lane.Ring.TryPeek(out CaptureRecord record, out ReadOnlySpan<byte> frame))
        {
            return null;
        }

        var packet = new CapturedPacket
        {
            UnixNs = record.TimeNs + _unixOffsetNs,
            Port = CaptureWords.PortOf(in record, record.Direction == CaptureDirection.Sent ? record.OutPort : record.InPort),
            Direction = record.Direction,
            Frame = frame.ToArray(),
            LengthBytes = record.Length,
            Verdict = record.Verdict,
            Reason = record.Reason,
            Outcome = CaptureWords.Outcome(in record),
        };
        lane.Ring.Release();
        Volatile.Write(ref _read, _read + 1);
        return packet;
    }

    /// <summary>The worker whose next packet is the oldest.</summary>
    private CaptureLane? Oldest()
    {
        CaptureLane? oldest = null;
        long time = long.MaxValue;
        foreach (CaptureLane lane in _lanes)
        {
            if (lane.Ring.TryPeek(out CaptureRecord record, out _) && record.TimeNs < time)
            {
                (oldest, time) = (lane, record.TimeNs);
            }
        }

        return oldest;
    }
}
