using System.Numerics;
using System.Runtime.CompilerServices;

namespace Dataplane.Packets;

/// <summary>The internet checksum: full (RFC 1071), and incremental without reading the packet again (RFC 1624).</summary>
/// <remarks>
/// A <i>partial sum</i> is a <see cref="uint"/> in host order whose 16-bit halves are still to be added up; up to 65,536 results
/// of <see cref="Sum(ReadOnlySpan{byte})"/> may be added with a plain + before <see cref="Fold"/>. A <i>delta</i> is the folded change
/// of one or more fields, computed once (when a NAT mapping is made) and applied to any number of packets; the default 0 changes nothing.
/// All members are pure and safe from any thread.
/// </remarks>
public static partial class InternetChecksum
{
    /// <summary>The delta of a TTL that goes down by one in an IPv4 header: the word of TTL and protocol loses 0x0100 (RFC 1141).</summary>
    public const ushort TtlDecrementDelta = 0xFEFF;

    /// <summary>Folds a partial sum to 16 bits with end-around carry. Zero only when every word added was zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Two adds; a call would cost more than the work.
    public static ushort Fold(uint partial)
    {
        partial += BitOperations.RotateLeft(partial, 16);
        return (ushort)(partial >> 16);
    }

    /// <summary>The checksum of the bytes as it is stored in a header: the complement of their folded sum, any checksum field being zero.</summary>
    public static ushort Compute(ReadOnlySpan<byte> bytes) => (ushort)~Sum(bytes);

    /// <summary>The checksum of the bytes and a partial sum, usually of <see cref="PseudoHeader"/>.</summary>
    public static ushort Compute(ReadOnlySpan<byte> bytes, uint partial) => (ushort)~Fold(Sum(bytes) + Fold(partial));

    /// <summary>Whether bytes that contain their checksum add up (RFC 1071: the sum is all ones).</summary>
    public static bool Verify(ReadOnlySpan<byte> bytes) => Sum(bytes) == 0xFFFF;

    /// <summary>Whether bytes that contain their checksum add up together with a partial sum, usually of <see cref="PseudoHeader"/>.</summary>
    public static bool Verify(ReadOnlySpan<byte> bytes, uint partial) => Fold(Sum(bytes) + Fold(partial)) == 0xFFFF;

    /// <summary>The partial sum of the pseudo-header (RFC 9293 3.1, RFC 768, RFC 8200 8.1).</summary>
    /// <param name="source">Source address.</param>
    /// <param name="destination">Final destination address, of the same family.</param>
    /// <param name="protocol">Upper-layer protocol number, not that of an extension header.</param>
    /// <param name="length">Upper-layer header and data in bytes.</param>
    public static uint PseudoHeader(IpAddress source, IpAddress destination, byte protocol, uint length) =>
        Fold64(source.High) + Fold64(source.Low) + Fold64(destination.High) + Fold64(destination.Low)
        + (length >> 16) + (length & 0xFFFF) + protocol;

    /// <summary>Applies a delta to a stored checksum (RFC 1624, equation 3).</summary>
    /// <remarks>Equal to a full computation over the changed data, bit for bit, unless that data is all zeros.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Three instructions per packet and header.
    public static ushort Adjust(ushort checksum, ushort delta)
    {
        uint sum = (ushort)~checksum + (uint)delta;
        return (ushort)~(sum + (sum >> 16));
    }

    /// <summary>Applies a delta to a UDP checksum: 0 means none and stays (RFC 768), and a result of 0 is stored as 0xFFFF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet.
    public static ushort AdjustUdp(ushort checksum, ushort delta)
    {
        if (checksum == 0)
        {
            return 0;
        }

        return ZeroAsOnes(Adjust(checksum, delta));
    }

    /// <summary>The form in which UDP stores a checksum that came out as 0: all ones, because 0 means none (RFC 768, RFC 8200 8.1).</summary>
    public static ushort ZeroAsOnes(ushort checksum) => checksum == 0 ? (ushort)0xFFFF : checksum;

    /// <summary>The delta of a 16-bit field that starts at an even offset.</summary>
    public static ushort Delta(ushort oldValue, ushort newValue) => Normal((ushort)~oldValue + (uint)newValue);

    /// <summary>The delta of a 32-bit field that starts at an even offset, such as an IPv4 address.</summary>
    public static ushort Delta(uint oldValue, uint newValue) => Normal(Fold64(~oldValue) + Fold64(newValue));

    /// <summary>The delta of a 64-bit field that starts at an even offset.</summary>
    public static ushort Delta(ulong oldValue, ulong newValue) => Normal(Fold64(~oldValue) + Fold64(newValue));

    /// <summary>The delta of a 128-bit field that starts at an even offset.</summary>
    public static ushort Delta(UInt128 oldValue, UInt128 newValue) =>
        Normal(Fold64(~(ulong)oldValue) + Fold64(~(ulong)(oldValue >> 64))
            + Fold64((ulong)newValue) + Fold64((ulong)(newValue >> 64)));

    /// <summary>The delta of an address in a header or pseudo-header; the families may differ.</summary>
    public static ushort Delta(IpAddress oldValue, IpAddress newValue) => Delta(oldValue.Bits, newValue.Bits);

    /// <summary>The delta of two changes together.</summary>
    public static ushort Combine(ushort first, ushort second) => Normal((uint)first + second);

    /// <summary>The delta that undoes another.</summary>
    public static ushort Inverse(ushort delta) => Normal((ushort)~delta);

    /// <summary>Folds and writes "no change" as 0: in one's complement 0xFFFF is zero too, and one form keeps comparisons simple.</summary>
    private static ushort Normal(uint partial)
    {
        ushort folded = Fold(partial);
        return folded == 0xFFFF ? (ushort)0 : folded;
    }

    /// <summary>Folds 64 bits to 16: a word added to itself with halves exchanged has the sum of the halves, carry included, in its upper half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // A handful of instructions, four times per pseudo-header.
    private static uint Fold64(ulong sum)
    {
        sum += BitOperations.RotateLeft(sum, 32);
        return Fold((uint)(sum >> 32));
    }
}
