using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Packets;

/// <content>
/// The sum itself, in five equal forms. The fast ones rest on RFC 1071, section 2: the sum does not depend on byte order (it comes
/// out swapped) nor on the width of the words added, as long as carries are not lost. So they add native words of 32 bits into
/// 64-bit lanes, which cannot overflow below 16 GiB, and swap once at the end.
/// </content>
public static partial class InternetChecksum
{
    /// <summary>From this length on a vector path is taken; below it setting up and adding across lanes costs more than it saves.</summary>
    internal const int VectorThresholdBytes = 128;

    private const int Ipv4HeaderBytes = 20;

    /// <summary>The folded sum of the bytes as big-endian 16-bit words in host order (0 to 0xFFFF), an odd last byte padded with zero.</summary>
    /// <remarks>Sums of consecutive pieces may be added when all pieces but the last have an even length.</remarks>
    public static uint Sum(ReadOnlySpan<byte> bytes)
    {
        if (CodePaths.Current != CodePath.Auto)
        {
            return Sum(bytes, CodePaths.Current);
        }

        if (bytes.Length == Ipv4HeaderBytes)
        {
            return SumHeader(bytes);
        }

        if (bytes.Length < VectorThresholdBytes || !Vector128.IsHardwareAccelerated || !BitConverter.IsLittleEndian)
        {
            return SumWords(bytes);
        }

        return Vector512.IsHardwareAccelerated ? SumVector512(bytes) : Vector256.IsHardwareAccelerated ? SumVector256(bytes) : SumVector128(bytes);
    }

    /// <summary>The sum of an IPv4 header without options, the length asked for most: three loads and no loop.</summary>
    internal static uint SumHeader(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..Ipv4HeaderBytes];
        ulong first = BinaryPrimitives.ReadUInt64LittleEndian(bytes), second = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        ulong sum = (uint)first + (first >> 32) + (uint)second + (second >> 32) + BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]);
        return BinaryPrimitives.ReverseEndianness((ushort)Fold64(sum));
    }

    /// <summary>The sum by a given path, whatever the length.</summary>
    internal static uint Sum(ReadOnlySpan<byte> bytes, CodePath path) => path switch
    {
        CodePath.V128 when BitConverter.IsLittleEndian => SumVector128(bytes),
        CodePath.V256 when BitConverter.IsLittleEndian => SumVector256(bytes),
        CodePath.V512 when BitConverter.IsLittleEndian => SumVector512(bytes),
        CodePath.Scalar => SumScalar(bytes),
        _ => SumWords(bytes),
    };

    /// <summary>The reference: RFC 1071, section 4.1, word by word.</summary>
    internal static uint SumScalar(ReadOnlySpan<byte> bytes)
    {
        ulong sum = 0;
        while (bytes.Length >= 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
            bytes = bytes[2..];
        }

        if (!bytes.IsEmpty)
        {
            sum += (uint)bytes[0] << 8;
        }

        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (uint)sum;
    }

    /// <summary>64 bits at a time.</summary>
    internal static uint SumWords(ReadOnlySpan<byte> bytes) => Finish(0, bytes);

    private static uint SumVector128(ReadOnlySpan<byte> bytes)
    {
        Vector128<ulong> low = default, high = default, mask = Vector128.Create(0xFFFF_FFFFul);
        ReadOnlySpan<Vector128<ulong>> words = MemoryMarshal.Cast<byte, Vector128<ulong>>(bytes);
        foreach (Vector128<ulong> word in words)
        {
            low += word & mask;
            high += word >> 32;
        }

        return Finish(Vector128.Sum(low + high), bytes[(words.Length * Vector128<byte>.Count)..]);
    }

    private static uint SumVector256(ReadOnlySpan<byte> bytes)
    {
        Vector256<ulong> low = default, high = default, mask = Vector256.Create(0xFFFF_FFFFul);
        ReadOnlySpan<Vector256<ulong>> words = MemoryMarshal.Cast<byte, Vector256<ulong>>(bytes);
        foreach (Vector256<ulong> word in words)
        {
            low += word & mask;
            high += word >> 32;
        }

        return Finish(Vector256.Sum(low + high), bytes[(words.Length * Vector256<byte>.Count)..]);
    }

    private static uint SumVector512(ReadOnlySpan<byte> bytes)
    {
        Vector512<ulong> low = default, high = default, mask = Vector512.Create(0xFFFF_FFFFul);
        ReadOnlySpan<Vector512<ulong>> words = MemoryMarshal.Cast<byte, Vector512<ulong>>(bytes);
        foreach (Vector512<ulong> word in words)
        {
            low += word & mask;
            high += word >> 32;
        }

        return Finish(Vector512.Sum(low + high), bytes[(words.Length * Vector512<byte>.Count)..]);
    }

    /// <summary>Adds what is left behind the last whole vector, folds, and swaps into network order.</summary>
    private static uint Finish(ulong low, ReadOnlySpan<byte> rest)
    {
        // Two sums of halves instead of one with carry: the JIT has no add-with-carry, and the halves do not wait for each other.
        ulong high = 0;
        while (rest.Length >= 16)
        {
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(rest), second = BinaryPrimitives.ReadUInt64LittleEndian(rest[8..]);
            low += (uint)first + (ulong)(uint)second;
            high += (first >> 32) + (second >> 32);
            rest = rest[16..];
        }

        if (rest.Length >= 8)
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(rest);
            low += (uint)word;
            high += word >> 32;
            rest = rest[8..];
        }

        if (rest.Length >= 4)
        {
            low += BinaryPrimitives.ReadUInt32LittleEndian(rest);
            rest = rest[4..];
        }

        if (rest.Length >= 2)
        {
            low += BinaryPrimitives.ReadUInt16LittleEndian(rest);
            rest = rest[2..];
        }

        if (!rest.IsEmpty)
        {
            low += rest[0];
        }

        return BinaryPrimitives.ReverseEndianness((ushort)Fold64(low + high));
    }
}
