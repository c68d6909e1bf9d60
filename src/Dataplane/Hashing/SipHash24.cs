using System.Buffers.Binary;
using System.Numerics;

namespace Dataplane.Hashing;

/// <summary>SipHash-2-4 (Aumasson and Bernstein, Indocrypt 2012): short input under a secret key of 128 bits; GLB's table and packet hash.</summary>
internal readonly struct SipHash24
{
    private readonly ulong _key0, _key1;

    /// <summary>Takes the key.</summary>
    /// <param name="key">16 bytes.</param>
    /// <exception cref="ArgumentException">The key has another length.</exception>
    public SipHash24(ReadOnlySpan<byte> key)
    {
        if (key.Length != 16)
        {
            throw new ArgumentException($"A SipHash key has 16 bytes, not {key.Length}.", nameof(key));
        }

        _key0 = BinaryPrimitives.ReadUInt64LittleEndian(key);
        _key1 = BinaryPrimitives.ReadUInt64LittleEndian(key[8..]);
    }

    /// <summary>Hashes bytes.</summary>
    public ulong Hash(ReadOnlySpan<byte> bytes)
    {
        // "somepseudorandomlygeneratedbytes"
        ulong v0 = _key0 ^ 0x736F_6D65_7073_6575, v1 = _key1 ^ 0x646F_7261_6E64_6F6D,
            v2 = _key0 ^ 0x6C79_6765_6E65_7261, v3 = _key1 ^ 0x7465_6462_7974_6573;
        ulong last = (ulong)bytes.Length << 56;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            Absorb(ref v0, ref v1, ref v2, ref v3, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            last |= (ulong)bytes[i] << (8 * i);
        }

        Absorb(ref v0, ref v1, ref v2, ref v3, last);
        v2 ^= 0xFF;
        for (int i = 0; i < 4; i++)
        {
            Round(ref v0, ref v1, ref v2, ref v3);
        }

        return v0 ^ v1 ^ v2 ^ v3;
    }

    private static void Absorb(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3, ulong word)
    {
        v3 ^= word;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= word;
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
