namespace Dataplane.Capturing;

/// <summary>What a capture takes, and when it ends.</summary>
public sealed record CaptureOptions
{
    /// <summary>Least and most bytes of <see cref="BufferBytes"/>.</summary>
    internal const int LeastBuffer = 1 << 16, MostBuffer = 1 << 30;

    /// <summary>Which packets, as <see cref="CaptureFilter"/> reads them; empty for all.</summary>
    public string Filter { get; init; } = "";

    /// <summary>The most bytes kept of a packet, from its first MAC byte: 64 to 65,535, which keeps all there is.</summary>
    public int SnapLengthBytes { get; init; } = ushort.MaxValue;

    /// <summary>Ends the capture after so many packets; null: not.</summary>
    public long? MaxPackets { get; init; }

    /// <summary>Ends the capture before it has written more than so many bytes; null: not.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>Ends the capture after this time; null: not.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Room for packets on their way to the reader, for each worker: 64 KiB to 1 GiB. What does not fit is counted as not captured.</summary>
    public int BufferBytes { get; init; } = 4 << 20;
}
