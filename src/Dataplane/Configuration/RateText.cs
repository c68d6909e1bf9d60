using System.Globalization;
using System.Numerics;

namespace Dataplane.Configuration;

/// <summary>Rates as configurations write them: a whole number and one of the units bit, kbit, mbit, gbit, each 1000 of the one before, per second.</summary>
internal static class RateText
{
    public const string Problem = "is not a rate: a whole number with a unit is needed (bit, kbit, mbit or gbit, per second), such as 100mbit";

    private static readonly (string Unit, long Bits)[] s_units = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

    public static bool TryRead(string text, out BigInteger bitsPerSecond)
    {
        int digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        bitsPerSecond = default;
        foreach ((string unit, long bits) in s_units)
        {
            if (digits > 0 && text.AsSpan(digits).SequenceEqual(unit) && TextReading.TryInteger(text[..digits], out BigInteger count))
            {
                bitsPerSecond = count * bits;
                return true;
            }
        }

        return false;
    }

    /// <summary>Writes a rate in the largest unit that leaves a whole number.</summary>
    public static string From(long bitsPerSecond)
    {
        (string unit, long bits) = s_units.First(entry => bitsPerSecond % entry.Bits == 0);
        return string.Create(CultureInfo.InvariantCulture, $"{bitsPerSecond / bits}{unit}");
    }
}
