using System.Buffers.Binary;

namespace Dataplane.Mesh.Tls;

/// <summary>Takes numbers and vectors of TLS (RFC 8446, section 3) from bytes; never reads past the end, never throws.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    internal readonly bool IsEmpty => _rest.IsEmpty;

    internal bool TryByte(out int value)
    {
        value = _rest.IsEmpty ? 0 : _rest[0];
        return TrySkip(1);
    }

    internal bool TryUInt16(out int value)
    {
        value = _rest.Length < 2 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(_rest);
        return TrySkip(2);
    }

    internal bool TryUInt24(out int value)
    {
        value = _rest.Length < 3 ? 0 : (_rest[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(_rest[1..]);
        return TrySkip(3);
    }

    internal bool TrySkip(int count)
    {
        if (_rest.Length < count)
        {
            _rest = default;
            return false;
        }

        _rest = _rest[count..];
        return true;
    }

    internal bool TryTake(int count, out ReadOnlySpan<byte> taken)
    {
        taken = _rest.Length < count ? default : _rest[..count];
        return TrySkip(count);
    }

    /// <summary>A vector with a length of one byte before it.</summary>
    internal bool TryVector8(out ReadOnlySpan<byte> taken)
    {
        taken = default;
        return TryByte(out int length) && TryTake(length, out taken);
    }

    /// <summary>A vector with a length of two bytes before it.</summary>
    internal bool TryVector16(out ReadOnlySpan<byte> taken)
    {
        taken = default;
        return TryUInt16(out int length) && TryTake(length, out taken);
    }
}
