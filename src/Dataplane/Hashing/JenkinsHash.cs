using System.Buffers.Binary;
using System.Numerics;

namespace Dataplane.Hashing;

/// <summary>Jenkins' lookup3 (2006, public domain) as the Linux kernel's <c>jhash</c> has it; Katran and Cilium hash packets with it.</summary>
internal static class JenkinsHash
{
    private const uint Start = 0xDEAD_BEEF;

    /// <summary>Hashes bytes: <c>jhash</c> of the kernel, <c>hashlittle</c> of lookup3.</summary>
    public static uint Hash(ReadOnlySpan<byte> bytes, uint seed)
    {
        uint a = Start + (uint)bytes.Length + seed, b = a, c = a;
        for (; bytes.Length > 12; bytes = bytes[12..])
        {
            a += BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            b += BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            c += BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
            Mix(ref a, ref b, ref c);
        }

        if (bytes.IsEmpty)
        {
            return c;
        }

        Span<byte> tail = stackalloc byte[12];
        tail.Clear();
        bytes.CopyTo(tail);
        a += BinaryPrimitives.ReadUInt32LittleEndian(tail);
        b += BinaryPrimitives.ReadUInt32LittleEndian(tail[4..]);
        c += BinaryPrimitives.ReadUInt32LittleEndian(tail[8..]);
        return Finish(a, b, c);
    }

    /// <summary>The kernel's <c>jhash_2words</c>: the hash of two numbers, lowest byte first.</summary>
    public static uint Hash(uint a, uint b, uint seed)
    {
        uint start = seed + Start + 8;
        return Finish(a + start, b + start, start);
    }

    /// <summary>The kernel's <c>jhash_3words</c>: the hash of three numbers, lowest byte first.</summary>
    public static uint Hash(uint a, uint b, uint c, uint seed)
    {
        uint start = seed + Start + 12;
        return Finish(a + start, b + start, c + start);
    }

    /// <summary>Mixes three lanes in a way that can be undone: the round of lookup3.</summary>
    public static void Mix(ref uint a, ref uint b, ref uint c)
    {
        a = (a - c) ^ BitOperations.RotateLeft(c, 4);
        c += b;
        b = (b - a) ^ BitOperations.RotateLeft(a, 6);
        a += c;
        c = (c - b) ^ BitOperations.RotateLeft(b, 8);
        b += a;
        a = (a - c) ^ BitOperations.RotateLeft(c, 16);
        c += b;
        b = (b - a) ^ BitOperations.RotateLeft(a, 19);
        a += c;
        c = (c - b) ^ BitOperations.RotateLeft(b, 4);
        b += a;
    }

    /// <summary>Brings three lanes together in one: the end of lookup3.</summary>
    public static uint Finish(uint a, uint b, uint c)
    {
        c = (c ^ b) - BitOperations.RotateLeft(b, 14);
        a = (a ^ c) - BitOperations.RotateLeft(c, 11);
        b = (b ^ a) - BitOperations.RotateLeft(a, 25);
        c = (c ^ b) - BitOperations.RotateLeft(b, 16);
        a = (a ^ c) - BitOperations.RotateLeft(c, 4);
        b = (b ^ a) - BitOperations.RotateLeft(a, 14);
        return (c ^ b) - BitOperations.RotateLeft(b, 24);
    }
}
