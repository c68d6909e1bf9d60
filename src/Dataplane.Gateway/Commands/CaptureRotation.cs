using System.Globalization;
using System.Text;

namespace Dataplane.Gateway.Commands;

/// <summary>When a capture goes on in another file, and what each is called: the rules of tcpdump(1) for -C, -G and -W.</summary>
/// <param name="Path">As -w gives it; with <paramref name="Seconds"/> a format of strftime(3).</param>
/// <param name="FileBytes">A file that has more is followed by another; null: however long it gets.</param>
/// <param name="Seconds">A file is for so long; null: for ever.</param>
/// <param name="Files">With <paramref name="FileBytes"/> the number of files, of which the oldest is written anew; with <paramref name="Seconds"/> alone the number after which the capture ends; null: any.</param>
internal sealed record CaptureRotation(string Path, long? FileBytes = null, int? Seconds = null, int? Files = null)
{
    private const string Formats = "aAbBdeFHIjklmMnpRsSTuwyYz%";

    /// <summary>Whether there is more than one file.</summary>
    public bool IsOn => FileBytes is not null || Seconds is not null;

    /// <summary>What is wrong with the path, or null.</summary>
    public string? Problem
    {
        get
        {
            for (int at = Path.IndexOf('%', StringComparison.Ordinal); Seconds is not null && at >= 0; at = Path.IndexOf('%', at + 2))
            {
                if (at + 1 == Path.Length || !Formats.Contains(Path[at + 1], StringComparison.Ordinal))
                {
                    return $"-w \"{Path}\": with -G it is a format for the time, and {Path[at..Math.Min(at + 2, Path.Length)]} is none of %{string.Join(" %", Formats.ToCharArray())}.";
                }

                if (at + 2 >= Path.Length)
                {
                    break;
                }
            }

            return null;
        }
    }

    /// <summary>Reads a size as tcpdump does: millions of bytes, or with k, m or g behind it units of 1,024, 1,024² or 1,024³ bytes.</summary>
    /// <returns>Bytes; null when it is no size.</returns>
    public static long? ReadSize(string text)
    {
        long unit = text.Length == 0 ? 1 : text[^1] switch { 'k' or 'K' => 1L << 10, 'm' or 'M' => 1L << 20, 'g' or 'G' => 1L << 30, _ => 1_000_000 };
        ReadOnlySpan<char> digits = unit == 1_000_000 || text.Length == 0 ? text : text.AsSpan(0, text.Length - 1);
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number > 0 && number <= long.MaxValue / unit ? number * unit : null;
    }

    /// <summary>The name of a file.</summary>
    /// <param name="number">How many before it since the last change by time, in the ring of -W.</param>
    /// <param name="time">When its time began, local.</param>
    public string NameOf(int number, DateTimeOffset time)
    {
        string name = Seconds is null ? Path : Formatted(time);
        int digits = FileBytes is not null && Files is > 1 and { } files ? (files - 1).ToString(CultureInfo.InvariantCulture).Length : 0;
        return number == 0 && digits == 0 ? name : name + number.ToString("D" + Math.Max(1, digits), CultureInfo.InvariantCulture);
    }

    private string Formatted(DateTimeOffset time)
    {
        var name = new StringBuilder();
        for (int at = 0; at < Path.Length; at++)
        {
            if (Path[at] == '%' && at + 1 < Path.Length)
            {
                name.Append(Formatted(Path[++at], time));
            }
            else
            {
                name.Append(Path[at]);
            }
        }

        return name.ToString();
    }

    /// <summary>strftime(3) in the C locale.</summary>
    private static string Formatted(char format, DateTimeOffset time) => format switch
    {
        'j' => time.DayOfYear.ToString("D3", CultureInfo.InvariantCulture),
        's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'u' => (time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'k' => time.Hour.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'l' => time.ToString("%h", CultureInfo.InvariantCulture).PadLeft(2),
        'z' => time.ToString("zzz", CultureInfo.InvariantCulture).Replace(":", "", StringComparison.Ordinal),
        'n' => "\n",
        '%' => "%",
        _ => time.ToString(
            format switch
            {
                'a' => "ddd",
                'A' => "dddd",
                'b' => "MMM",
                'B' => "MMMM",
                'd' => "dd",
                'F' => "yyyy-MM-dd",
                'H' => "HH",
                'I' => "hh",
                'm' => "MM",
                'M' => "mm",
                'p' => "tt",
                'R' => "HH:mm",
                'S' => "ss",
                'T' => "HH:mm:ss",
                'y' => "yy",
                _ => "yyyy",
            },
            CultureInfo.InvariantCulture),
    };
}
