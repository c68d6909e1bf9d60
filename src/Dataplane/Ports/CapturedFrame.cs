namespace Dataplane.Ports;

/// <summary>A frame of a capture file. Valid until the reader goes on.</summary>
public readonly ref struct CapturedFrame
{
    internal CapturedFrame(long timestampNs, ReadOnlySpan<byte> bytes, int originalLengthBytes, int interfaceNumber)
    {
        TimestampNs = timestampNs;
        Bytes = bytes;
        OriginalLengthBytes = originalLengthBytes;
        Interface = interfaceNumber;
    }

    /// <summary>When it was captured, in nanoseconds since 1970-01-01 UTC; 0 to 2^63 - 2.</summary>
    public long TimestampNs { get; }

    /// <summary>The bytes captured, from the first MAC byte, without FCS where the file says that it has one.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>The length of the frame on the wire; more than <see cref="Bytes"/> holds when the capture cut it short.</summary>
    public int OriginalLengthBytes { get; }

    /// <summary>Number of the interface within its section (pcapng); 0 in classic files.</summary>
    public int Interface { get; }

    /// <summary>Whether the capture cut the frame short.</summary>
    public bool IsTruncated => OriginalLengthBytes > Bytes.Length;
}
