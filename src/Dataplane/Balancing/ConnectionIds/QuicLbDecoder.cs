using System.Buffers.Binary;
using System.Diagnostics;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>Reads server IDs from connection IDs of one QUIC-LB configuration (draft-ietf-quic-load-balancers-21, 5). Immutable.</summary>
internal sealed class QuicLbDecoder
{
    private readonly int _serverBits;
    private readonly int _length;
    private readonly bool _encodesLength;
    private readonly AesBlock? _aes;
    private readonly int _halfBytes;
    private readonly UInt128 _leftMask, _rightMask;

    /// <summary>Takes a configuration that is valid.</summary>
    public QuicLbDecoder(QuicLbSpec spec)
    {
        _serverBits = spec.ServerIdBytes * 8;
        _length = spec.ServerIdBytes + spec.NonceBytes;
        _encodesLength = spec.EncodesLength;
        _aes = spec.Key is { } key ? new AesBlock(Convert.FromHexString(key)) : null;

        // Halves stand at the upper end of a block. Of an odd length they share the byte in the middle, and each has four bits of it.
        _halfBytes = (_length + 1) / 2;
        _leftMask = Upper(_length * 4);
        _rightMask = Upper(_halfBytes * 8) & (UInt128.MaxValue >> (_length % 2 * 4));
    }

    /// <summary>Reads the server ID.</summary>
    /// <param name="id">The connection ID, or what begins with it.</param>
    /// <param name="isWhole">Whether <paramref name="id"/> is the connection ID alone.</param>
    /// <param name="server">Receives its key.</param>
    /// <returns>False when it has not the length that it should.</returns>
    public bool TryDecode(ReadOnlySpan<byte> id, bool isWhole, out ServerKey server)
    {
        server = default;
        int said = id.IsEmpty ? 0 : id[0] & 0x1F;
        if (id.Length <= _length || (_encodesLength && (said < _length || said >= id.Length || (isWhole && said + 1 != id.Length))))
        {
            return false;
        }

        ReadOnlySpan<byte> block = id.Slice(1, _length);
        UInt128 plain = _aes is null ? ReadUpper(block[..(_serverBits / 8)])
            : _length == AesBlock.KeyBytes ? _aes.Decrypt(BinaryPrimitives.ReadUInt128BigEndian(block))
            : FourPasses(_aes, block);
        server = ServerKey.Of(plain >> (128 - _serverBits), _serverBits / 8);
        return true;
    }

    /// <summary>Undoes the passes of a Feistel network; the last one only where the server ID goes beyond the left half.</summary>
    private UInt128 FourPasses(AesBlock aes, ReadOnlySpan<byte> block)
    {
        UInt128 left = ReadUpper(block[.._halfBytes]) & _leftMask, right = ReadUpper(block[^_halfBytes..]) & _rightMask;
        left ^= Pass(aes, right, 4) & _leftMask;
        right ^= Pass(aes, left, 3) & _rightMask;
        left ^= Pass(aes, right, 2) & _leftMask;
        if (_serverBits <= _length * 4)
        {
            return left;
        }

        right ^= Pass(aes, left, 1) & _rightMask;
        return left | (right << (_length % 2 * 4) >> (_length * 4));
    }

    private UInt128 Pass(AesBlock aes, UInt128 half, uint pass) => aes.Encrypt(half | ((uint)_length << 8) | pass);

    private static UInt128 Upper(int bits) => UInt128.MaxValue << (128 - bits);

    private static UInt128 ReadUpper(ReadOnlySpan<byte> bytes)
    {
        Debug.Assert(bytes.Length <= AesBlock.KeyBytes);
        Span<byte> whole = stackalloc byte[AesBlock.KeyBytes];
        whole.Clear();
        bytes.CopyTo(whole);
        return BinaryPrimitives.ReadUInt128BigEndian(whole);
    }
}
