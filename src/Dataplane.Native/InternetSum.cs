using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Native;

/// <summary>The one's complement sum of RFC 1071, kept in the machine's byte order.</summary>
/// <remarks>
/// The sum does not depend on byte order (RFC 1071, 2(B)), so words are added as the machine loads them; a folded result stored
/// as the machine stores a 16-bit word is right on the wire. Numbers that come from elsewhere go in through <see cref="OfWord"/>.
/// </remarks>
internal static class InternetSum
{
    /// <summary>Adds bytes; an odd last byte counts as if a zero byte followed, so only the last piece may have an odd length.</summary>
    internal static ulong Add(ulong sum, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= 128 && Vector256.IsHardwareAccelerated)
        {
            // 32-bit halves into 64-bit lanes: no carry can get lost in less than 2^32 additions.
            ReadOnlySpan<Vector256<uint>> blocks = MemoryMarshal.Cast<byte, Vector256<uint>>(bytes);
            Vector256<ulong> low = Vector256<ulong>.Zero, high = Vector256<ulong>.Zero;
            foreach (Vector256<uint> block in blocks)
            {
                (Vector256<ulong> first, Vector256<ulong> second) = Vector256.Widen(block);
                low += first;
                high += second;
            }

            sum = AddWithCarry(sum, Vector256.Sum(low + high));
            bytes = bytes[(blocks.Length * Vector256<byte>.Count)..];
        }

        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
            sum = AddWithCarry(sum, word);

        bytes = bytes[(words.Length * sizeof(ulong))..];
        if (bytes.IsEmpty)
            return sum;
        ulong last = 0;
        bytes.CopyTo(MemoryMarshal.AsBytes(new Span<ulong>(ref last)));
        return AddWithCarry(sum, last);
    }

    /// <summary>The form in which a 16-bit number is added.</summary>
    internal static ulong OfWord(int value) =>
        BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness((ushort)value) : (ushort)value;

    /// <summary>Adds two sums.</summary>
    internal static ulong AddWithCarry(ulong sum, ulong value)
    {
        sum += value;
        return sum < value ? sum + 1 : sum;
    }

    /// <summary>The checksum to store: the sum folded to 16 bits and complemented.</summary>
    internal static ushort Complement(ulong sum)
    {
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }

    /// <summary>As <see cref="Complement"/>, but never 0, which UDP keeps for "no checksum" (RFC 768).</summary>
    internal static ushort ComplementNonZero(ulong sum)
    {
        ushort checksum = Complement(sum);
        return checksum == 0 ? (ushort)0xFFFF : checksum;
    }
}
