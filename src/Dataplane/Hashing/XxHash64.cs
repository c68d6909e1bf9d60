using System.Buffers.Binary;
using System.Numerics;

namespace Dataplane.Hashing;

/// <summary>The 64-bit xxHash (Collet, xxhash_spec): fast, well mixed, the same everywhere; not for secrets.</summary>
internal static class XxHash64
{
    private const ulong Prime1 = 0x9E3779B185EBCA87, Prime2 = 0xC2B2AE3D27D4EB4F, Prime3 = 0x165667B19E3779F9,
                        Prime4 = 0x85EBCA77C2B2AE63, Prime5 = 0x27D4EB2F165667C5;

    /// <summary>Hashes bytes.</summary>
    public static ulong Hash(ReadOnlySpan<byte> bytes, ulong seed = 0)
    {
        int length = bytes.Length;
        ulong hash = length >= 32 ? Stripes(ref bytes, seed) : seed + Prime5;
        hash += (ulong)length;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            hash ^= Round(0, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            hash = (BitOperations.RotateLeft(hash, 27) * Prime1) + Prime4;
        }

        if (bytes.Length >= 4)
        {
            hash ^= BinaryPrimitives.ReadUInt32LittleEndian(bytes) * Prime1;
            hash = (BitOperations.RotateLeft(hash, 23) * Prime2) + Prime3;
            bytes = bytes[4..];
        }

        foreach (byte value in bytes)
        {
            hash ^= value * Prime5;
            hash = BitOperations.RotateLeft(hash, 11) * Prime1;
        }

        return Avalanche(hash);
    }

    /// <summary>Hashes the eight bytes of a number, lowest first.</summary>
    public static ulong Hash(ulong value, ulong seed)
    {
        ulong hash = (seed + Prime5 + sizeof(ulong)) ^ Round(0, value);
        return Avalanche((BitOperations.RotateLeft(hash, 27) * Prime1) + Prime4);
    }

    private static ulong Stripes(ref ReadOnlySpan<byte> bytes, ulong seed)
    {
        ulong a = seed + Prime1 + Prime2, b = seed + Prime2, c = seed, d = seed - Prime1;
        for (; bytes.Length >= 32; bytes = bytes[32..])
        {
            a = Round(a, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            b = Round(b, BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
            c = Round(c, BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]));
            d = Round(d, BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));
        }

        ulong hash = BitOperations.RotateLeft(a, 1) + BitOperations.RotateLeft(b, 7) + BitOperations.RotateLeft(c, 12) + BitOperations.RotateLeft(d, 18);
        return Merge(Merge(Merge(Merge(hash, a), b), c), d);
    }

    private static ulong Round(ulong lane, ulong input) => BitOperations.RotateLeft(lane + (input * Prime2), 31) * Prime1;

    private static ulong Merge(ulong hash, ulong lane) => ((hash ^ Round(0, lane)) * Prime1) + Prime4;

    private static ulong Avalanche(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * Prime2;
        hash = (hash ^ (hash >> 29)) * Prime3;
        return hash ^ (hash >> 32);
    }
}
