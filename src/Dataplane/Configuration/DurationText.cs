using System.Globalization;
using System.Numerics;

namespace Dataplane.Configuration;

/// <summary>Durations as configurations write them: a whole number and one of the units ns, us, ms, s.</summary>
internal static class DurationText
{
    public const string Problem = "is not a duration: a whole number with a unit is needed (ns, us, ms or s), such as 50us";

    private static readonly (string Unit, long Nanoseconds)[] s_units = [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

    /// <summary>Reads a duration that is not negative; a 0 needs no unit.</summary>
    public static bool TryRead(string text, out BigInteger nanoseconds)
    {
        nanoseconds = default;
        int digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        if (digits < 0)
        {
            return text == "0";
        }

        foreach ((string unit, long scale) in s_units)
        {
            if (text.AsSpan(digits).SequenceEqual(unit) && TextReading.TryInteger(text[..digits], out BigInteger count))
            {
                nanoseconds = count * scale;
                return true;
            }
        }

        return false;
    }

    /// <summary>Writes microseconds in the largest unit that leaves a whole number.</summary>
    public static string FromMicroseconds(long microseconds) => microseconds switch
    {
        0 => "0s",
        _ when microseconds % 1_000_000 == 0 => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1_000_000}s"),
        _ when microseconds % 1_000 == 0 => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1_000}ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{microseconds}us"),
    };
}
