using System.Buffers.Binary;

namespace Dataplane.Packets;

/// <summary>An IPv4 or IPv6 address in host order: 128 bits and a family, compared without allocation.</summary>
/// <remarks>IPv4 lives in the low 32 bits of <see cref="Low"/>. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) stays IPv6 and equals no IPv4 address.</remarks>
public readonly partial struct IpAddress : IEquatable<IpAddress>, IComparable<IpAddress>, ISpanFormattable, ISpanParsable<IpAddress>
{
    /// <summary>Bytes an IPv4 address takes on the wire (4).</summary>
    public const int V4LengthBytes = 4;

    /// <summary>Bytes an IPv6 address takes on the wire (16).</summary>
    public const int V6LengthBytes = 16;

    private IpAddress(ulong high, ulong low, IpFamily family)
    {
        High = high;
        Low = low;
        Family = family;
    }

    /// <summary>0.0.0.0.</summary>
    public static IpAddress AnyV4 => new(0, 0, IpFamily.V4);

    /// <summary>::, the unspecified IPv6 address.</summary>
    public static IpAddress AnyV6 => new(0, 0, IpFamily.V6);

    /// <summary>The upper 64 bits of an IPv6 address; 0 for IPv4.</summary>
    public ulong High { get; }

    /// <summary>The lower 64 bits of an IPv6 address, or the 32 bits of an IPv4 address.</summary>
    public ulong Low { get; }

    /// <summary>The family; <see cref="IpFamily.None"/> only for the default value.</summary>
    public IpFamily Family { get; }

    /// <summary>All 128 bits as one number; an IPv4 address is below 2^32.</summary>
    public UInt128 Bits => new(High, Low);

    /// <summary>Whether this is an IPv4 address.</summary>
    public bool IsIpv4 => Family == IpFamily.V4;

    /// <summary>Whether this is an IPv6 address.</summary>
    public bool IsIpv6 => Family == IpFamily.V6;

    /// <summary>Whether this is the default value, no address at all.</summary>
    public bool IsNone => Family == IpFamily.None;

    /// <summary>Bits of the family: 32, 128, or 0 for no address.</summary>
    public int BitLength => Family switch { IpFamily.V4 => 32, IpFamily.V6 => 128, _ => 0 };

    /// <summary>Bytes on the wire: 4, 16, or 0 for no address.</summary>
    public int WireLengthBytes => BitLength >> 3;

    /// <summary>Whether this is 0.0.0.0 or ::.</summary>
    public bool IsUnspecified => Family != IpFamily.None && (High | Low) == 0;

    /// <summary>Whether this lies in 127.0.0.0/8 (RFC 1122, 3.2.1.3) or is ::1 (RFC 4291).</summary>
    public bool IsLoopback => IsIpv4 ? Low >> 24 == 127 : IsIpv6 && High == 0 && Low == 1;

    /// <summary>Whether this lies in 224.0.0.0/4 (RFC 1112) or ff00::/8 (RFC 4291).</summary>
    public bool IsMulticast => IsIpv4 ? Low >> 28 == 0xE : High >> 56 == 0xFF;

    /// <summary>Whether this lies in 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291).</summary>
    public bool IsLinkLocal => IsIpv4 ? Low >> 16 == 0xA9FE : High >> 54 == 0x3FA;

    /// <summary>Whether this is 255.255.255.255 (RFC 919); IPv6 has no broadcast.</summary>
    public bool IsLimitedBroadcast => IsIpv4 && Low == 0xFFFF_FFFF;

    /// <summary>Whether this is an IPv4-mapped IPv6 address, ::ffff:0:0/96 (RFC 4291, 2.5.5.2), which must never appear on a wire.</summary>
    public bool IsIpv4Mapped => IsIpv6 && High == 0 && Low >> 32 == 0xFFFF;

    /// <summary>An IPv4 address from its 32 bits in host order: 10.0.0.1 is 0x0A000001.</summary>
    public static IpAddress FromV4(uint bits) => new(0, bits, IpFamily.V4);

    /// <summary>An IPv6 address from its two halves in host order.</summary>
    public static IpAddress FromV6(ulong high, ulong low) => new(high, low, IpFamily.V6);

    /// <summary>An IPv6 address from its 16 bytes in network order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 16 bytes.</exception>
    public static IpAddress FromV6(ReadOnlySpan<byte> bytes) => ReadV6(bytes);

    /// <summary>The address of the given family with these bits; bits an IPv4 address has no room for are dropped.</summary>
    /// <param name="family">The family; <see cref="IpFamily.None"/> gives the default value.</param>
    /// <param name="bits">The address as a number in host order.</param>
    public static IpAddress FromBits(IpFamily family, UInt128 bits) => family switch
    {
        IpFamily.V4 => FromV4((uint)bits),
        IpFamily.V6 => new IpAddress((ulong)(bits >> 64), (ulong)bits, IpFamily.V6),
        _ => default,
    };

    /// <summary>Reads four bytes in network order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 4 bytes.</exception>
    public static IpAddress ReadV4(ReadOnlySpan<byte> source) => new(0, BinaryPrimitives.ReadUInt32BigEndian(source), IpFamily.V4);

    /// <summary>Reads sixteen bytes in network order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 16 bytes.</exception>
    public static IpAddress ReadV6(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(source), BinaryPrimitives.ReadUInt64BigEndian(source[8..]), IpFamily.V6);

    /// <summary>The solicited-node multicast group of an IPv6 address (RFC 4291, 2.7.1): ff02::1:ff00:0/104 and its low 24 bits.</summary>
    public static IpAddress SolicitedNode(IpAddress address) => new(0xFF02_0000_0000_0000, 0x0000_0001_FF00_0000 | (address.Low & 0xFF_FFFF), IpFamily.V6);

    /// <summary>Writes 4 or 16 bytes in network order and returns how many; nothing for no address.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="WireLengthBytes"/>.</exception>
    public int Write(Span<byte> target)
    {
        if (IsIpv4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(target, (uint)Low);
        }
        else if (IsIpv6)
        {
            BinaryPrimitives.WriteUInt64BigEndian(target, High);
            BinaryPrimitives.WriteUInt64BigEndian(target[8..], Low);
        }

        return WireLengthBytes;
    }

    /// <summary>Whether family and all bits are the same.</summary>
    public bool Equals(IpAddress other) => ((High ^ other.High) | (Low ^ other.Low) | (uint)(Family ^ other.Family)) == 0;

    /// <summary>Whether <paramref name="obj"/> is an equal address.</summary>
    public override bool Equals(object? obj) => obj is IpAddress other && Equals(other);

    /// <summary>A hash of family and bits, seeded per process.</summary>
    public override int GetHashCode() => HashCode.Combine(High, Low, Family);

    /// <summary>Orders by family (IPv4 first), then as a number.</summary>
    public int CompareTo(IpAddress other)
    {
        if (Family != other.Family)
        {
            return Family < other.Family ? -1 : 1;
        }

        int high = High.CompareTo(other.High);
        return high != 0 ? high : Low.CompareTo(other.Low);
    }

    /// <summary>Whether family and all bits are the same.</summary>
    public static bool operator ==(IpAddress left, IpAddress right) => left.Equals(right);

    /// <summary>Whether family or any bit differs.</summary>
    public static bool operator !=(IpAddress left, IpAddress right) => !left.Equals(right);

    /// <summary>Whether the first address sorts before the second.</summary>
    public static bool operator <(IpAddress left, IpAddress right) => left.CompareTo(right) < 0;

    /// <summary>Whether the first address sorts before the second or equals it.</summary>
    public static bool operator <=(IpAddress left, IpAddress right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the first address sorts after the second.</summary>
    public static bool operator >(IpAddress left, IpAddress right) => left.CompareTo(right) > 0;

    /// <summary>Whether the first address sorts after the second or equals it.</summary>
    public static bool operator >=(IpAddress left, IpAddress right) => left.CompareTo(right) >= 0;
}
