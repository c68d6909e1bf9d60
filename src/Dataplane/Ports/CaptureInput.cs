using System.Buffers.Binary;

namespace Dataplane.Ports;

/// <summary>A window over the bytes of a capture file that moves forward only; integers in either byte order.</summary>
/// <remarks>Memory is bounded by <see cref="MaxWindowBytes"/> whatever the file says, and by the file's length where that is known.</remarks>
internal sealed class CaptureInput : IDisposable
{
    /// <summary>Free bytes before the window, so that a header can be put before the first frame in the buffer as well.</summary>
    internal const int SlackBytes = 16;

    /// <summary>The most bytes that have to lie in a row: the headers of a record and its frame.</summary>
    internal const int MaxWindowBytes = CaptureFileReader.MaxFrameBytes + 64;

    // Room for two windows: with one, the rest of a window would be moved for every long frame.
    private const int BufferBytes = SlackBytes + (2 * MaxWindowBytes);

    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private byte[] _buffer;
    private int _start = SlackBytes;
    private int _end = SlackBytes;
    private long _readBytes;

    internal CaptureInput(Stream stream, string name, bool leaveOpen)
    {
        _stream = stream;
        _leaveOpen = leaveOpen;
        Name = name;
        long known = stream.CanSeek ? stream.Length - stream.Position : BufferBytes;
        _buffer = new byte[Math.Clamp(known, 0, BufferBytes - SlackBytes) + SlackBytes];
    }

    /// <summary>What messages call the file.</summary>
    internal string Name { get; }

    /// <summary>Whether multi-byte integers begin with their most significant byte.</summary>
    internal bool IsBigEndian { get; set; }

    /// <summary>Bytes from the beginning of the file to the window.</summary>
    internal long Offset => _readBytes - (_end - _start);

    /// <summary>Whether the file ends where the window begins.</summary>
    internal bool IsAtEnd => !TryFill(1);

    /// <summary>Makes sure that so many bytes are in the window.</summary>
    /// <exception cref="CaptureFormatException">The file ends before.</exception>
    internal void Need(int count, string what)
    {
        if (!TryFill(count))
            throw Malformed(0, $"the file ends after {_end - _start} bytes", $"{what} of {count} bytes");
    }

    /// <summary>Reads 16 bits at a place in the window that <see cref="Need"/> has made sure of.</summary>
    internal ushort U16(int at) => IsBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(Span(at, 2)) : BinaryPrimitives.ReadUInt16LittleEndian(Span(at, 2));

    /// <summary>Reads 32 bits.</summary>
    internal uint U32(int at) => IsBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(Span(at, 4)) : BinaryPrimitives.ReadUInt32LittleEndian(Span(at, 4));

    /// <summary>Reads 64 bits.</summary>
    internal ulong U64(int at) => IsBigEndian ? BinaryPrimitives.ReadUInt64BigEndian(Span(at, 8)) : BinaryPrimitives.ReadUInt64LittleEndian(Span(at, 8));

    /// <summary>Bytes of the window. A negative place reaches what was consumed last, <see cref="SlackBytes"/> at most.</summary>
    internal Span<byte> Span(int at, int length) => _buffer.AsSpan(_start + at, length);

    /// <summary>Moves the window forward over bytes that are in it.</summary>
    internal void Consume(int count) => _start += count;

    /// <summary>Moves the window forward over any number of bytes, reading on as needed.</summary>
    /// <exception cref="CaptureFormatException">The file ends before.</exception>
    internal void Skip(long count, string what)
    {
        while (count > 0)
        {
            if (!TryFill(1))
                throw Malformed(0, "the file ends", $"{count} more bytes of {what}");
            int step = (int)Math.Min(count, _end - _start);
            _start += step;
            count -= step;
        }
    }

    /// <summary>The exception for what stands at a place in the window.</summary>
    internal CaptureFormatException Malformed(int at, string found, string expected) => new(Name, Offset + at, found, expected);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_leaveOpen)
            _stream.Dispose();
    }

    private bool TryFill(int count)
    {
        while (_end - _start < count)
        {
            if (_buffer.Length - _start < count)
                MakeRoom(count);
            int read = _stream.Read(_buffer, _end, _buffer.Length - _end);
            if (read == 0)
                return false;
            _end += read;
            _readBytes += read;
        }

        return true;
    }

    private void MakeRoom(int count)
    {
        // Only a file that grows while it is read can need more than its length was at opening.
        byte[] target = _buffer.Length - SlackBytes >= count ? _buffer : new byte[BufferBytes];
        _buffer.AsSpan(_start, _end - _start).CopyTo(target.AsSpan(SlackBytes));
        _end += SlackBytes - _start;
        _start = SlackBytes;
        _buffer = target;
    }
}
