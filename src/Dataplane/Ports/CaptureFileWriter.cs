using System.Buffers.Binary;

namespace Dataplane.Ports;

/// <summary>Writes frames to a classic pcap file: nanoseconds, Ethernet, little-endian on every machine, so that the same frames make the same bytes.</summary>
/// <remarks>Writing allocates nothing. Used by one thread. Frames reach the file when a buffer of 64 KB is full and at <see cref="Flush"/> and <see cref="Dispose"/>.
/// After an <see cref="IOException"/> the file may end within a frame; write no more to it.</remarks>
public sealed class CaptureFileWriter : IDisposable
{
    private const int BufferBytes = 64 << 10;
    private const int FileHeaderBytes = 24, RecordHeaderBytes = 16;
    private const uint MagicNanoseconds = 0xA1B2_3C4D;
    private const uint LinkTypeEthernet = 1;
    private const ulong NsPerSecond = 1_000_000_000;

    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _used;
    private bool _disposed;

    /// <summary>Writes to a stream, beginning with the file header.</summary>
    /// <param name="stream">Where the bytes go.</param>
    /// <param name="snapLengthBytes">The most bytes kept of a frame, 1 to 262,144.</param>
    /// <param name="leaveOpen">Whether disposing the writer leaves the stream open.</param>
    public CaptureFileWriter(Stream stream, int snapLengthBytes = CaptureFileReader.MaxFrameBytes, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(snapLengthBytes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(snapLengthBytes, CaptureFileReader.MaxFrameBytes);
        _stream = stream;
        _leaveOpen = leaveOpen;
        SnapLengthBytes = snapLengthBytes;
        Span<byte> header = _buffer.AsSpan(0, FileHeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(header, MagicNanoseconds);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], 4);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], (uint)snapLengthBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], LinkTypeEthernet);
        _used = FileHeaderBytes;
    }

    /// <summary>The most bytes kept of a frame.</summary>
    public int SnapLengthBytes { get; }

    /// <summary>Frames written since the file was begun.</summary>
    public long Frames { get; private set; }

    /// <summary>Creates a file, or begins one again that exists.</summary>
    /// <param name="path">The file.</param>
    /// <param name="snapLengthBytes">The most bytes kept of a frame, 1 to 262,144.</param>
    /// <exception cref="IOException">The file cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not create it.</exception>
    public static CaptureFileWriter Create(string path, int snapLengthBytes = CaptureFileReader.MaxFrameBytes) =>
        new(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0), snapLengthBytes);

    /// <summary>Writes a frame.</summary>
    /// <param name="timestampNs">Nanoseconds since 1970-01-01 UTC; the format reaches from 1970 to 2106, and what lies outside becomes the nearer end.</param>
    /// <param name="frame">From the first MAC byte, without FCS; bytes behind <see cref="SnapLengthBytes"/> are left out.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(long timestampNs, ReadOnlySpan<byte> frame) => Write(timestampNs, frame, frame.Length);

    /// <summary>Writes a frame of which only the beginning is known.</summary>
    /// <param name="timestampNs">Nanoseconds since 1970-01-01 UTC; the format reaches from 1970 to 2106, and what lies outside becomes the nearer end.</param>
    /// <param name="frame">From the first MAC byte, without FCS; bytes behind <see cref="SnapLengthBytes"/> are left out.</param>
    /// <param name="originalLengthBytes">The length of the whole frame; no less than what is known of it.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(long timestampNs, ReadOnlySpan<byte> frame, int originalLengthBytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(originalLengthBytes, frame.Length);
        ReadOnlySpan<byte> kept = frame[..Math.Min(frame.Length, SnapLengthBytes)];
        if (_buffer.Length - _used < RecordHeaderBytes + kept.Length)
            WriteBuffer();
        ulong time = Math.Min((ulong)Math.Max(timestampNs, 0), (uint.MaxValue * NsPerSecond) + NsPerSecond - 1);
        Span<byte> record = _buffer.AsSpan(_used);
        BinaryPrimitives.WriteUInt32LittleEndian(record, (uint)(time / NsPerSecond));
        BinaryPrimitives.WriteUInt32LittleEndian(record[4..], (uint)(time % NsPerSecond));
        BinaryPrimitives.WriteUInt32LittleEndian(record[8..], (uint)kept.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record[12..], (uint)originalLengthBytes);
        _used += RecordHeaderBytes;
        Append(kept);
        Frames++;
    }

    /// <summary>Hands everything written to the system.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Flush()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        WriteBuffer();
        _stream.Flush();
    }

    /// <summary>Writes what is left and closes the file.</summary>
    /// <exception cref="IOException">The file cannot be written; it is closed all the same.</exception>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        try
        {
            WriteBuffer();
            _stream.Flush();
        }
        finally
        {
            if (!_leaveOpen)
                _stream.Dispose();
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int step = Math.Min(bytes.Length, _buffer.Length - _used);
            bytes[..step].CopyTo(_buffer.AsSpan(_used));
            _used += step;
            bytes = bytes[step..];
            if (_used == _buffer.Length)
                WriteBuffer();
        }
    }

    private void WriteBuffer()
    {
        // Empty before it is written: what the disk refuses once is not offered again at every further frame.
        int count = _used;
        _used = 0;
        _stream.Write(_buffer, 0, count);
    }
}
