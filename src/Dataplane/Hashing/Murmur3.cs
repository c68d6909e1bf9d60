using System.Buffers.Binary;
using System.Numerics;

namespace Dataplane.Hashing;

/// <summary>MurmurHash3 for 64-bit machines (Appleby, MurmurHash3_x64_128, public domain); Cilium's and Katran's Maglev are built on it.</summary>
internal static class Murmur3
{
    private const ulong C1 = 0x87C3_7B91_1142_53D5, C2 = 0x4CF5_AD43_2745_937F;

    /// <summary>Hashes bytes.</summary>
    public static (ulong First, ulong Second) Hash128(ReadOnlySpan<byte> bytes, uint seed)
    {
        int length = bytes.Length;
        ulong first = seed, second = seed;
        for (; bytes.Length >= 16; bytes = bytes[16..])
        {
            Block(ref first, ref second, BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
        }

        if (!bytes.IsEmpty)
        {
            Span<byte> tail = stackalloc byte[16];
            tail.Clear();
            bytes.CopyTo(tail);

            // A lane without bytes is 0 and stays 0, so both may always be mixed in.
            second ^= MixSecond(BinaryPrimitives.ReadUInt64LittleEndian(tail[8..]));
            first ^= MixFirst(BinaryPrimitives.ReadUInt64LittleEndian(tail));
        }

        return Finish(first, second, length);
    }

    /// <summary>The first half of the hash of two numbers, lowest byte first: Katran's <c>MurmurHash3_x64_64</c>.</summary>
    public static ulong Hash64(ulong a, ulong b, uint seed)
    {
        ulong first = seed, second = seed;
        Block(ref first, ref second, a, b);
        return Finish(first, second, 16).First;
    }

    private static void Block(ref ulong first, ref ulong second, ulong a, ulong b)
    {
        first = ((BitOperations.RotateLeft(first ^ MixFirst(a), 27) + second) * 5) + 0x52DC_E729;
        second = ((BitOperations.RotateLeft(second ^ MixSecond(b), 31) + first) * 5) + 0x3849_5AB5;
    }

    private static (ulong First, ulong Second) Finish(ulong first, ulong second, int length)
    {
        first ^= (ulong)length;
        second ^= (ulong)length;
        first += second;
        second += first;
        first = Avalanche(first);
        second = Avalanche(second);
        first += second;
        return (first, second + first);
    }

    private static ulong MixFirst(ulong lane) => BitOperations.RotateLeft(lane * C1, 31) * C2;

    private static ulong MixSecond(ulong lane) => BitOperations.RotateLeft(lane * C2, 33) * C1;

    private static ulong Avalanche(ulong value)
    {
        value = (value ^ (value >> 33)) * 0xFF51_AFD7_ED55_8CCD;
        value = (value ^ (value >> 33)) * 0xC4CE_B9FE_1A85_EC53;
        return value ^ (value >> 33);
    }
}
