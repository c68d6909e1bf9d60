using System.Globalization;

namespace Dataplane.Balancing.ConnectionIds;

/// <summary>A server ID as a key: its bytes as a number, and how many there are; 0 for one that is a number itself.</summary>
internal readonly record struct ServerKey(ulong High, ulong Low)
{
    private const int LengthShift = 56;

    /// <summary>The key of some bytes, at most 15.</summary>
    public static ServerKey Of(UInt128 value, int lengthBytes) => new((ulong)(value >> 64) | ((ulong)lengthBytes << LengthShift), (ulong)value);

    /// <summary>The key of a number.</summary>
    public static ServerKey Of(uint number) => new(0, number);

    /// <summary>Bytes of the ID; 0 for a number.</summary>
    public int LengthBytes => (int)(High >> LengthShift);

    /// <summary>The IDs of one backend: hexadecimal digits, two for each byte, or for Katran a decimal number; several divided by commas.</summary>
    public static string[] Split(string? text) => string.IsNullOrEmpty(text) ? [] : text.Split(',', StringSplitOptions.TrimEntries);

    /// <summary>Reads one ID as it is written in a configuration.</summary>
    public static bool TryRead(string text, ConnectionIdFormat format, out ServerKey key)
    {
        key = default;
        if (format == ConnectionIdFormat.Katran)
        {
            // No other writing of a number, so that each has one.
            bool isNumber = uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number > 0 && text[0] != '0';
            key = Of(number);
            return isNumber;
        }

        if (text.Length is 0 or > 2 * MaxBytes || text.Length % 2 != 0 || !UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 value))
        {
            return false;
        }

        key = Of(value, text.Length / 2);
        return true;
    }

    /// <summary>As a configuration writes it.</summary>
    public override string ToString() => LengthBytes == 0
        ? Low.ToString(CultureInfo.InvariantCulture)
        : new UInt128(High & ((1UL << LengthShift) - 1), Low).ToString("x" + (2 * LengthBytes).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>What the draft allows, since a nonce has four bytes at least.</summary>
    public const int MaxBytes = 15;
}
