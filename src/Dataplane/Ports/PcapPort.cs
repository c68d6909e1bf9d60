using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Ports;

/// <summary>A port that receives the frames of one capture file and writes what it is to send to another.</summary>
/// <remarks>
/// Frames are received in the order of the file, at once and not at the pace they were captured; <see cref="NextTimestampNs"/>,
/// <see cref="ReceiveUntilNs"/> and <see cref="MostPerReceive"/> let a replayer merge several files by time. At the end of its input the link is
/// <see cref="LinkState.Gone"/>, and what the engine still sends is written all the same. A file that turns out to be damaged, or a disk that
/// is full, shows as <see cref="Fault"/>; the port never throws once it is open. Used by one thread, except for what <see cref="IPort"/> lets any thread read.
/// </remarks>
public sealed class PcapPort : IPort
{
    /// <summary>The value of <see cref="NextTimestampNs"/> when no frame is left.</summary>
    public const long NoTimestamp = long.MaxValue;

    private const int HeadroomBytes = FrameRing.HeadroomBytes;

    // One frame of any length, or a batch of 256 full Ethernet frames.
    private const int SlabBytes = 512 << 10;

    private readonly CaptureFileReader? _input;
    private readonly CaptureFileWriter? _output;
    private readonly byte[] _slab;
    private int _slabUsed;
    private int _framesLent;
    private long _next = NoTimestamp;
    private PortStatistics _statistics;
    private IOException? _fault;
    private bool _outputFailed;
    private bool _disposed;

    /// <summary>Makes a port over files that are open; it closes them when it is disposed.</summary>
    /// <param name="input">What is received; null: nothing, and the link is up until the port is disposed.</param>
    /// <param name="output">Where frames go that are sent; null: they are counted only.</param>
    /// <param name="mac">The hardware address the engine sends from.</param>
    /// <param name="mtu">Largest layer 3 packet in bytes, 68 to 65,535.</param>
    /// <exception cref="CaptureFormatException">The input is damaged at its first frame.</exception>
    /// <exception cref="IOException">The input cannot be read.</exception>
    public PcapPort(CaptureFileReader? input, CaptureFileWriter? output, MacAddress mac, int mtu = 1500)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mtu, 68);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mtu, 65_535);
        _input = input;
        _output = output;
        _slab = input is null ? [] : new byte[SlabBytes];
        Mac = mac;
        Mtu = mtu;
        if (input is not null && input.Read())
            _next = input.Current.TimestampNs;
    }

    /// <inheritdoc/>
    public MacAddress Mac { get; }

    /// <inheritdoc/>
    public int Mtu { get; }

    /// <inheritdoc/>
    public LinkState Link => Volatile.Read(ref _next) == NoTimestamp && _input is not null ? LinkState.Gone : LinkState.Up;

    /// <inheritdoc/>
    public FileDescriptor? PollDescriptor => null;

    /// <summary>The time of the frame that is received next, in nanoseconds since 1970; <see cref="NoTimestamp"/> when none is left.</summary>
    public long NextTimestampNs => _next;

    /// <summary>Frames later than this are not received yet, in nanoseconds since 1970; all are by default.</summary>
    public long ReceiveUntilNs { get; set; } = long.MaxValue;

    /// <summary>The most frames that one <see cref="Receive"/> hands over, 1 to 256.</summary>
    public int MostPerReceive
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, PacketBatch.Capacity);
            field = value;
        }
    } = PacketBatch.Capacity;

    /// <summary>Added to the time of the batch for the times in the output file, in nanoseconds. 0 suits a clock that counts from 1970, as a replay's does.</summary>
    public long OutputTimeOffsetNs { get; init; }

    /// <summary>What went wrong while reading or writing; null when nothing did. May be read by any thread.</summary>
    public IOException? Fault => Volatile.Read(ref _fault);

    /// <inheritdoc/>
    public int Receive(PacketBatch batch)
    {
        batch.SetMemory(_slab);
        int count = 0;
        while (_next <= ReceiveUntilNs && _next != NoTimestamp && count < MostPerReceive)
        {
            ReadOnlySpan<byte> frame = _input!.Current.Bytes;
            int start = _slabUsed + HeadroomBytes;
            if (frame.Length > _slab.Length - start || !batch.Add(start, frame.Length))
                break;
            frame.CopyTo(_slab.AsSpan(start));
            _slabUsed = start + ((frame.Length + FrameRing.LineBytes - 1) & -FrameRing.LineBytes);
            _statistics.ReceivedBytes += frame.Length;
            count++;
            ReadAhead();
        }

        _framesLent += count;
        _statistics.ReceivedPackets += count;
        return count;
    }

    /// <inheritdoc/>
    public void Release(PacketBatch batch)
    {
        _framesLent -= batch.Count;
        if (_framesLent == 0)
            _slabUsed = 0;
    }

    /// <inheritdoc/>
    public int Transmit(PacketBatch batch, ReadOnlySpan<short> packets)
    {
        int accepted = 0;
        foreach (short packet in packets)
        {
            ReadOnlySpan<byte> frame = batch.Frame(packet);
            if (frame.Length > CaptureFileReader.MaxFrameBytes)
                batch.Drop(packet, DropReason.FrameTooLong);
            else if (!TryWrite(batch.NowNs + OutputTimeOffsetNs, frame))
                batch.Drop(packet, DropReason.LinkDown);
            else
            {
                accepted++;
                _statistics.TransmittedBytes += frame.Length;
            }
        }

        _statistics.TransmittedPackets += accepted;
        _statistics.TransmitRefused += packets.Length - accepted;
        return accepted;
    }

    /// <summary>Does nothing: the output file is written when a buffer is full and when the port is disposed.</summary>
    public void Flush()
    {
    }

    /// <summary>Does nothing: frames do not arrive, they are there until the file ends.</summary>
    public void SetWaker(IPortWaker waker)
    {
    }

    /// <inheritdoc/>
    public void ReadStatistics(out PortStatistics statistics) => statistics = _statistics;

    /// <summary>Closes both files; what the output file does not take then shows as <see cref="Fault"/>.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Volatile.Write(ref _next, NoTimestamp);
        _input?.Dispose();
        try
        {
            _output?.Dispose();
        }
        catch (IOException exception)
        {
            SetFault(exception);
        }
    }

    private void ReadAhead()
    {
        long next = NoTimestamp;
        try
        {
            if (_input!.Read())
                next = _input.Current.TimestampNs;
        }
        catch (IOException exception)
        {
            // The frames before the damage are good and were handed over; nothing behind it can be found.
            _statistics.Errors++;
            SetFault(exception);
        }

        Volatile.Write(ref _next, next);
    }

    private bool TryWrite(long timestampNs, ReadOnlySpan<byte> frame)
    {
        if (_output is null)
            return true;
        if (_outputFailed)
            return false;
        try
        {
            _output.Write(timestampNs, frame);
            return true;
        }
        catch (IOException exception)
        {
            _outputFailed = true;
            SetFault(exception);
            return false;
        }
    }

    private void SetFault(IOException exception) => Interlocked.CompareExchange(ref _fault, exception, null);
}
