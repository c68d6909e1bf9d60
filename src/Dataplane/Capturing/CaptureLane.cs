namespace Dataplane.Capturing;

/// <summary>What one worker has of one capture.</summary>
internal sealed class CaptureLane(CaptureFilter filter, int snapLengthBytes, int ringBytes)
{
    private long _captured;
    private long _missed;

    public CaptureFilter Filter { get; } = filter;

    /// <summary>The most bytes kept of a packet.</summary>
    public int SnapLengthBytes { get; } = snapLengthBytes;

    public CaptureRing Ring { get; } = new(ringBytes);

    /// <summary>Packets copied out. Any thread.</summary>
    public long Captured => Volatile.Read(ref _captured);

    /// <summary>Packets the filter takes for which there was no room. Any thread.</summary>
    public long Missed => Volatile.Read(ref _missed);

    /// <summary>Copies a packet out, or counts that it could not be. The worker.</summary>
    public void Add(ref CaptureRecord record, ReadOnlySpan<byte> frame)
    {
        if (Ring.TryAdd(ref record, frame[..Math.Min(frame.Length, SnapLengthBytes)]))
        {
            Volatile.Write(ref _captured, _captured + 1);
        }
        else
        {
            Miss();
        }
    }

    /// <summary>Counts a packet that was not kept. The worker.</summary>
    public void Miss() => Volatile.Write(ref _missed, _missed + 1);
}
