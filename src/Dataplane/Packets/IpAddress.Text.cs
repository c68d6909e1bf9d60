using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Dataplane.Packets;

/// <content>The text forms: strict on the way in, canonical (RFC 5952) on the way out.</content>
public readonly partial struct IpAddress
{
    /// <summary>The longest text <see cref="TryFormat"/> writes (39 characters: eight groups of four digits).</summary>
    public const int MaxTextLength = 39;

    private static readonly SearchValues<char> s_v6Characters = SearchValues.Create("0123456789abcdefABCDEF:.");

    /// <summary>Reads four decimal numbers (10.0.0.1) or any IPv6 text form of RFC 4291 (2001:db8::1).</summary>
    /// <exception cref="FormatException">Any other text, scope identifiers and shortened IPv4 forms included.</exception>
    public static IpAddress Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out IpAddress address)
            ? address
            : throw new FormatException($"'{text}' is not an IP address: 198.51.100.7 or 2001:db8::7 is expected, without brackets, scope or prefix length.");

    /// <summary>Reads four decimal numbers (10.0.0.1) or any IPv6 text form of RFC 4291 (2001:db8::1); false for anything else.</summary>
    /// <remarks>Refused although other parsers take them: 10.1, 0x0a000001, 010.0.0.1, [::1], fe80::1%eth0, ::1/128 and surrounding blanks.</remarks>
    public static bool TryParse(ReadOnlySpan<char> text, out IpAddress address)
    {
        if (!text.Contains(':'))
        {
            bool isV4 = TryParseDotted(text, out uint bits);
            address = isV4 ? FromV4(bits) : default;
            return isV4;
        }

        address = default;
        if (text.ContainsAnyExcept(s_v6Characters))
        {
            return false;
        }

        // IPAddress would read the dotted tail of ::ffff:010.0.0.1 as octal on some versions; ours means decimal or nothing.
        if (text.Contains('.') && !TryParseDotted(text[(text.LastIndexOf(':') + 1)..], out _))
        {
            return false;
        }

        if (!IPAddress.TryParse(text, out IPAddress? parsed) || parsed.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[V6LengthBytes];
        if (!parsed.TryWriteBytes(bytes, out int written) || written != V6LengthBytes)
        {
            return false;
        }

        address = ReadV6(bytes);
        return true;
    }

    /// <summary>The canonical text: dotted decimal, or RFC 5952 with IPv4-mapped addresses in mixed notation; empty for no address.</summary>
    public override string ToString()
    {
        Span<char> text = stackalloc char[MaxTextLength];
        return TryFormat(text, out int charsWritten) ? new string(text[..charsWritten]) : string.Empty;
    }

    /// <summary>Writes the canonical text; false when there is no room (<see cref="MaxTextLength"/> always suffices).</summary>
    public bool TryFormat(Span<char> target, out int charsWritten)
    {
        Span<char> text = stackalloc char[MaxTextLength];
        int length = Family switch { IpFamily.V4 => FormatDotted(text, (uint)Low), IpFamily.V6 => FormatGroups(text), _ => 0 };
        bool fits = text[..length].TryCopyTo(target);
        charsWritten = fits ? length : 0;
        return fits;
    }

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();

    bool ISpanFormattable.TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        TryFormat(destination, out charsWritten);

    static IpAddress IParsable<IpAddress>.Parse(string s, IFormatProvider? provider) => Parse(s);

    static bool IParsable<IpAddress>.TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out IpAddress result) =>
        TryParse(s, out result);

    static IpAddress ISpanParsable<IpAddress>.Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s);

    static bool ISpanParsable<IpAddress>.TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out IpAddress result) => TryParse(s, out result);

    private static bool TryParseDotted(ReadOnlySpan<char> text, out uint bits)
    {
        bits = 0;
        int parts = 0;
        while (parts < 4)
        {
            int dot = text.IndexOf('.');
            ReadOnlySpan<char> part = dot < 0 ? text : text[..dot];

            // A leading zero means octal to inet_aton and decimal to others, so it is refused rather than guessed.
            if (part.Length is 0 or > 3 || (part.Length > 1 && part[0] == '0')
                || !uint.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out uint value) || value > 255)
            {
                return false;
            }

            bits = (bits << 8) | value;
            parts++;
            if (dot < 0)
            {
                return parts == 4;
            }

            text = text[(dot + 1)..];
        }

        return false;
    }

    private static int FormatDotted(Span<char> text, uint bits)
    {
        int at = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            _ = ((bits >> shift) & 0xFF).TryFormat(text[at..], out int written, default, CultureInfo.InvariantCulture);
            at += written;
            if (shift > 0)
            {
                text[at++] = '.';
            }
        }

        return at;
    }

    private int FormatGroups(Span<char> text)
    {
        int groups = 8;
        if (IsIpv4Mapped)
        {
            groups = 6;
        }

        (int zerosAt, int zeros) = LongestZeroRun(groups);
        int at = 0;
        for (int index = 0; index < groups; index++)
        {
            if (index == zerosAt)
            {
                text[at++] = ':';
                text[at++] = ':';
                index += zeros - 1;
                continue;
            }

            if (at > 0 && text[at - 1] != ':')
            {
                text[at++] = ':';
            }

            _ = Group(index).TryFormat(text[at..], out int written, "x", CultureInfo.InvariantCulture);
            at += written;
        }

        if (groups == 8)
        {
            return at;
        }

        text[at++] = ':';
        return at + FormatDotted(text[at..], (uint)Low);
    }

    /// <summary>RFC 5952, 4.2: the longest run of at least two zero groups, the first one on a tie.</summary>
    private (int Start, int Count) LongestZeroRun(int groups)
    {
        int bestStart = -1, best = 1, run = 0;
        for (int index = 0; index < groups; index++)
        {
            run = Group(index) == 0 ? run + 1 : 0;
            if (run > best)
            {
                best = run;
                bestStart = index - run + 1;
            }
        }

        return (bestStart, best);
    }

    private uint Group(int index) => (uint)((index < 4 ? High : Low) >> (48 - (16 * (index & 3)))) & 0xFFFF;
}
