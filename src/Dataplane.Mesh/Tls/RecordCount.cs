namespace Dataplane.Mesh.Tls;

/// <summary>Follows the records of a stream of TLS by their lengths (RFC 8446, 5.1), to know how many came. One thread at a time.</summary>
/// <remarks>Counts whatever the bytes say; what they are worth is for TLS to judge.</remarks>
internal struct RecordCount
{
    private const int HeaderBytes = 5;

    private int _left, _header, _length, _ended;

    /// <summary>Whether one record ended since <see cref="Begin"/>, and none is under way.</summary>
    internal readonly bool IsOne => _ended == 1 && _left == 0 && _header == 0;

    /// <summary>Counts from here.</summary>
    internal void Begin() => _ended = 0;

    /// <summary>Follows the next bytes of the stream.</summary>
    internal void Add(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_left > 0)
            {
                int taken = Math.Min(_left, bytes.Length);
                _left -= taken;
                bytes = bytes[taken..];
                _ended += _left == 0 ? 1 : 0;
                continue;
            }

            // type, legacy_record_version (2), length (2)
            _length = ((_length << 8) | bytes[0]) & 0xFFFF;
            bytes = bytes[1..];
            if (++_header < HeaderBytes)
                continue;
            _header = 0;
            _left = _length;
            _ended += _left == 0 ? 1 : 0;
        }
    }
}
