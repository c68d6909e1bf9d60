using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Dataplane.Packets;

/// <summary>An address and the number of its leading bits that matter, such as 10.0.0.0/8 or 2001:db8::/32.</summary>
/// <remarks>The address keeps the bits behind the length (10.1.2.3/8 is how an interface address is written); <see cref="Network"/> is without them.</remarks>
public readonly record struct IpPrefix : IComparable<IpPrefix>, ISpanFormattable, ISpanParsable<IpPrefix>
{
    private readonly byte _length;

    /// <summary>Makes a prefix; host bits in the address are kept.</summary>
    /// <param name="address">An IPv4 or IPv6 address.</param>
    /// <param name="length">0 to 32 for IPv4, 0 to 128 for IPv6.</param>
    /// <exception cref="ArgumentException">No address at all.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The length is outside the family's range.</exception>
    public IpPrefix(IpAddress address, int length)
    {
        if (address.IsNone)
        {
            throw new ArgumentException("A prefix needs an address; the default IpAddress has no family.", nameof(address));
        }

        if ((uint)length > (uint)address.BitLength)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, $"The prefix length of {address} is 0 to {address.BitLength} bits.");
        }

        Address = address;
        _length = (byte)length;
    }

    /// <summary>0.0.0.0/0, every IPv4 address.</summary>
    public static IpPrefix AllV4 => new(IpAddress.AnyV4, 0);

    /// <summary>::/0, every IPv6 address.</summary>
    public static IpPrefix AllV6 => new(IpAddress.AnyV6, 0);

    /// <summary>The address as given, host bits included.</summary>
    public IpAddress Address { get; }

    /// <summary>The number of leading bits that matter: 0 to 32 for IPv4, 0 to 128 for IPv6.</summary>
    public int Length => _length;

    /// <summary>The family of the address.</summary>
    public IpFamily Family => Address.Family;

    /// <summary>Whether the address has bits set behind the length, as 10.0.0.1/8 has.</summary>
    public bool HasHostBits => ((Address.High & ~MaskHigh) | (Address.Low & ~MaskLow & FamilyMaskLow)) != 0;

    /// <summary>The same prefix without host bits: 10.1.2.3/8 gives 10.0.0.0/8.</summary>
    public IpPrefix Network => Address.IsNone ? default : new(First, _length);

    /// <summary>The lowest address of the prefix.</summary>
    public IpAddress First => IpAddress.FromBits(Family, new UInt128(Address.High & MaskHigh, Address.Low & MaskLow));

    /// <summary>The highest address of the prefix; for an IPv4 subnet its directed broadcast address.</summary>
    public IpAddress Last => IpAddress.FromBits(Family, new UInt128(Address.High | ~MaskHigh, Address.Low | (~MaskLow & FamilyMaskLow)));

    private ulong FamilyMaskLow => Address.IsIpv4 ? 0xFFFF_FFFF : ulong.MaxValue;

    private ulong MaskHigh => Address.IsIpv4 ? ulong.MaxValue : Leading(_length);

    // A .NET shift count is taken modulo 64, hence Leading; an IPv4 length counts from bit 31.
    private ulong MaskLow => Address.IsIpv4 ? Leading(32 + _length) & 0xFFFF_FFFF : Leading(_length - 64);

    /// <summary>The prefix that holds exactly one address (/32 or /128).</summary>
    /// <exception cref="ArgumentException">No address at all.</exception>
    public static IpPrefix Host(IpAddress address) => new(address, address.BitLength);

    /// <summary>Whether the address is of the same family and its leading bits agree; host bits of this prefix do not matter.</summary>
    public bool Contains(IpAddress address) =>
        address.Family == Family && (((address.High ^ Address.High) & MaskHigh) | ((address.Low ^ Address.Low) & MaskLow)) == 0;

    /// <summary>Whether every address of the other prefix is in this one.</summary>
    public bool Contains(IpPrefix other) => other._length >= _length && Contains(other.Address);

    /// <summary>Whether the two prefixes share an address.</summary>
    public bool Overlaps(IpPrefix other) => Contains(other) || other.Contains(this);

    /// <summary>Reads an address, a slash and a decimal length; host bits are allowed and kept.</summary>
    /// <exception cref="FormatException">Any other text, an address without a length included.</exception>
    public static IpPrefix Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out IpPrefix prefix)
            ? prefix
            : throw new FormatException($"'{text}' is not a prefix: an address, '/' and a length up to 32 (IPv4) or 128 (IPv6) is expected, as in 10.0.0.0/8.");

    /// <summary>Reads an address, a slash and a decimal length; host bits are allowed and kept (see <see cref="HasHostBits"/>).</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out IpPrefix prefix)
    {
        prefix = default;
        int slash = text.IndexOf('/');
        if (slash < 0 || !IpAddress.TryParse(text[..slash], out IpAddress address))
        {
            return false;
        }

        ReadOnlySpan<char> digits = text[(slash + 1)..];
        if (digits.Length is 0 or > 3 || (digits.Length > 1 && digits[0] == '0')
            || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int length) || length > address.BitLength)
        {
            return false;
        }

        prefix = new IpPrefix(address, length);
        return true;
    }

    /// <summary>Orders by address, then the shorter (wider) prefix first.</summary>
    public int CompareTo(IpPrefix other)
    {
        int byAddress = Address.CompareTo(other.Address);
        return byAddress != 0 ? byAddress : _length.CompareTo(other._length);
    }

    /// <summary>The canonical address, a slash and the length; host bits are shown.</summary>
    public override string ToString()
    {
        Span<char> text = stackalloc char[IpAddress.MaxTextLength + 4];
        return TryFormat(text, out int charsWritten) ? new string(text[..charsWritten]) : string.Empty;
    }

    /// <summary>Writes the text form; false when there is no room (43 characters always suffice).</summary>
    public bool TryFormat(Span<char> target, out int charsWritten) =>
        target.TryWrite(CultureInfo.InvariantCulture, $"{Address}/{_length}", out charsWritten);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        TryFormat(destination, out charsWritten);

    static IpPrefix IParsable<IpPrefix>.Parse(string s, IFormatProvider? provider) => Parse(s);

    static bool IParsable<IpPrefix>.TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out IpPrefix result) => TryParse(s, out result);

    static IpPrefix ISpanParsable<IpPrefix>.Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s);

    static bool ISpanParsable<IpPrefix>.TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out IpPrefix result) => TryParse(s, out result);

    /// <summary>Whether the first prefix sorts before the second.</summary>
    public static bool operator <(IpPrefix left, IpPrefix right) => left.CompareTo(right) < 0;

    /// <summary>Whether the first prefix sorts before the second or equals it.</summary>
    public static bool operator <=(IpPrefix left, IpPrefix right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the first prefix sorts after the second.</summary>
    public static bool operator >(IpPrefix left, IpPrefix right) => left.CompareTo(right) > 0;

    /// <summary>Whether the first prefix sorts after the second or equals it.</summary>
    public static bool operator >=(IpPrefix left, IpPrefix right) => left.CompareTo(right) >= 0;

    /// <summary>A word whose first <paramref name="count"/> bits are set; below 0 counts as 0, above 64 as 64.</summary>
    private static ulong Leading(int count) => count <= 0 ? 0 : count >= 64 ? ulong.MaxValue : ulong.MaxValue << (64 - count);
}
