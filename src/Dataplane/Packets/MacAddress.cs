using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Dataplane.Packets;

/// <summary>A 48-bit IEEE 802 MAC address held in the low bits of one <see cref="ulong"/>; the first byte on the wire is the most significant.</summary>
public readonly record struct MacAddress : IComparable<MacAddress>, ISpanFormattable, ISpanParsable<MacAddress>
{
    /// <summary>Bytes a MAC address takes on the wire (6).</summary>
    public const int LengthBytes = 6;

    /// <summary>Characters of the text form <c>aa:bb:cc:dd:ee:ff</c> (17).</summary>
    public const int TextLength = 17;

    private const ulong Mask = 0xFFFF_FFFF_FFFF;
    private const ulong GroupBit = 0x0100_0000_0000;
    private const ulong LocalBit = 0x0200_0000_0000;

    /// <summary>Makes an address from its 48 bits.</summary>
    /// <param name="bits">0 to 0xFFFFFFFFFFFF; the first byte on the wire is the most significant.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bits"/> needs more than 48 bits.</exception>
    public MacAddress(ulong bits)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, Mask);
        Bits = bits;
    }

    /// <summary>ff:ff:ff:ff:ff:ff, every station on the link.</summary>
    public static MacAddress Broadcast => new(Mask);

    /// <summary>The 48 bits; the first byte on the wire is the most significant.</summary>
    public ulong Bits { get; private init; }

    /// <summary>Whether this is ff:ff:ff:ff:ff:ff.</summary>
    public bool IsBroadcast => Bits == Mask;

    /// <summary>Whether the group bit is set (IEEE 802, I/G); true for broadcast as well.</summary>
    public bool IsMulticast => (Bits & GroupBit) != 0;

    /// <summary>Whether the address was assigned locally (IEEE 802, U/L) rather than by the vendor.</summary>
    public bool IsLocallyAdministered => (Bits & LocalBit) != 0;

    /// <summary>Whether all 48 bits are zero, which no station may use.</summary>
    public bool IsZero => Bits == 0;

    /// <summary>Whether a station may own the address: neither zero nor a group address.</summary>
    public bool IsUnicast => Bits != 0 && (Bits & GroupBit) == 0;

    /// <summary>The link address an IPv4 multicast group maps to (RFC 1112, section 6.4).</summary>
    /// <param name="group">An IPv4 address; its low 23 bits are used.</param>
    public static MacAddress ForIpv4Multicast(IpAddress group) => new(0x0100_5E00_0000 | (group.Low & 0x7F_FFFF));

    /// <summary>The link address an IPv6 multicast group maps to (RFC 2464, section 7).</summary>
    /// <param name="group">An IPv6 address; its low 32 bits are used.</param>
    public static MacAddress ForIpv6Multicast(IpAddress group) => new(0x3333_0000_0000 | (group.Low & 0xFFFF_FFFF));

    /// <summary>Reads the first six bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than six bytes.</exception>
    public static MacAddress Read(ReadOnlySpan<byte> source) =>
        new() { Bits = ((ulong)BinaryPrimitives.ReadUInt32BigEndian(source) << 16) | BinaryPrimitives.ReadUInt16BigEndian(source[4..]) };

    /// <summary>Writes the six bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than six bytes of room.</exception>
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt32BigEndian(target, (uint)(Bits >> 16));
        BinaryPrimitives.WriteUInt16BigEndian(target[4..], (ushort)Bits);
    }

    /// <summary>Reads <c>aa:bb:cc:dd:ee:ff</c> or <c>aa-bb-cc-dd-ee-ff</c>, in either case of letters.</summary>
    /// <exception cref="FormatException">Any other text.</exception>
    public static MacAddress Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out MacAddress address)
            ? address
            : throw new FormatException($"'{text}' is not a MAC address: six pairs of hexadecimal digits are needed, as in 02:00:00:00:00:01.");

    /// <summary>Reads <c>aa:bb:cc:dd:ee:ff</c> or <c>aa-bb-cc-dd-ee-ff</c>; false for any other text, mixed separators included.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out MacAddress address)
    {
        address = default;
        if (text.Length != TextLength || text[2] is not (':' or '-'))
        {
            return false;
        }

        ulong bits = 0;
        for (int at = 0; at < TextLength; at += 3)
        {
            if (!char.IsAsciiHexDigit(text[at]) || !char.IsAsciiHexDigit(text[at + 1]) || (at + 2 < TextLength && text[at + 2] != text[2]))
            {
                return false;
            }

            bits = (bits << 8) | (uint)((HexValue(text[at]) << 4) | HexValue(text[at + 1]));
        }

        address = new MacAddress(bits);
        return true;
    }

    /// <summary>Orders by the 48 bits as a number.</summary>
    public int CompareTo(MacAddress other) => Bits.CompareTo(other.Bits);

    /// <summary>The text form <c>aa:bb:cc:dd:ee:ff</c>, lower case.</summary>
    public override string ToString() => string.Create(TextLength, Bits, static (text, bits) => Format(text, bits));

    /// <summary>Writes the text form, 17 characters; false when there is no room for it.</summary>
    public bool TryFormat(Span<char> target, out int charsWritten)
    {
        charsWritten = target.Length < TextLength ? 0 : TextLength;
        if (charsWritten != 0)
        {
            Format(target, Bits);
        }

        return charsWritten != 0;
    }

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        TryFormat(destination, out charsWritten);

    static MacAddress IParsable<MacAddress>.Parse(string s, IFormatProvider? provider) => Parse(s);

    static bool IParsable<MacAddress>.TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out MacAddress result) =>
        TryParse(s, out result);

    static MacAddress ISpanParsable<MacAddress>.Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s);

    static bool ISpanParsable<MacAddress>.TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out MacAddress result) =>
        TryParse(s, out result);

    /// <summary>Whether the first address is the smaller number.</summary>
    public static bool operator <(MacAddress left, MacAddress right) => left.Bits < right.Bits;

    /// <summary>Whether the first address is the smaller number or equal.</summary>
    public static bool operator <=(MacAddress left, MacAddress right) => left.Bits <= right.Bits;

    /// <summary>Whether the first address is the larger number.</summary>
    public static bool operator >(MacAddress left, MacAddress right) => left.Bits > right.Bits;

    /// <summary>Whether the first address is the larger number or equal.</summary>
    public static bool operator >=(MacAddress left, MacAddress right) => left.Bits >= right.Bits;

    private static int HexValue(char digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    private static void Format(Span<char> text, ulong bits)
    {
        const string Digits = "0123456789abcdef";
        for (int index = 0; index < LengthBytes; index++)
        {
            int value = (int)(bits >> (40 - (8 * index))) & 0xFF;
            text[3 * index] = Digits[value >> 4];
            text[(3 * index) + 1] = Digits[value & 0xF];
            if (index < LengthBytes - 1)
            {
                text[(3 * index) + 2] = ':';
            }
        }
    }
}
