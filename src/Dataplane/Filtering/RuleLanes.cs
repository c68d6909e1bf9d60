using System.Runtime.Intrinsics;

namespace Dataplane.Filtering;

/// <summary>How a block of eight rules lies in memory: each field of all eight side by side in one vector, rule i in lane i.</summary>
/// <remarks>
/// A field is two vectors, mask and value or first port and length of the range. The fields are the transport word, the source and
/// the destination port range, and each 32-bit word of the source and of the destination address. A rule is compared by looking for
/// differences: where all of them are 0 it matches. Eight rules and not sixteen, because the runtime emulates vectors of 512 bits
/// badly where a processor has none.
/// </remarks>
internal static class RuleLanes
{
    /// <summary>Rules in a block.</summary>
    public const int Count = 8;

    /// <summary>Number of the field with the transport word.</summary>
    public const int TransportField = 0;

    /// <summary>Number of the field with the source port range.</summary>
    public const int SourcePortField = 1;

    /// <summary>Number of the field with the destination port range.</summary>
    public const int DestinationPortField = 2;

    /// <summary>Number of the field with the first word of the source address; the destination follows behind its last.</summary>
    public const int AddressField = 3;

    /// <summary>Elements in a field.</summary>
    public const int FieldLength = 2 * Count;

    /// <summary>Elements in a block of IPv4 rules.</summary>
    public const int BlockLengthV4 = (AddressField + 2) * FieldLength;

    /// <summary>Elements in a block of IPv6 rules.</summary>
    public const int BlockLengthV6 = (AddressField + 8) * FieldLength;

    /// <summary>The bits in which a packet's value differs from the masked value of every rule.</summary>
    /// <param name="block">The block.</param>
    /// <param name="field">Number of a field of mask and value.</param>
    /// <param name="value">The packet's value in every lane.</param>
    public static Vector256<uint> Differences(ReadOnlySpan<uint> block, int field, Vector256<uint> value) =>
        (value & At(block, field, 0)) ^ At(block, field, 1);

    /// <summary>0 in the lanes of those rules whose port range holds a port.</summary>
    /// <remarks>The distance from the first port is at most the length of the range; that of a port below wraps to far above it.</remarks>
    /// <param name="block">The block.</param>
    /// <param name="field">Number of a field of first port and length.</param>
    /// <param name="port">The packet's port in every lane.</param>
    public static Vector256<uint> OutOfRange(ReadOnlySpan<uint> block, int field, Vector256<uint> port) =>
        Vector256.Max(port - At(block, field, 0), At(block, field, 1)) ^ At(block, field, 1);

    private static Vector256<uint> At(ReadOnlySpan<uint> block, int field, int half) =>
        Vector256.Create(block.Slice((field * FieldLength) + (half * Count), Count));
}
