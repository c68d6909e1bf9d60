using System.Globalization;
using System.Text;

namespace Dataplane.Configuration;

/// <summary>One thing wrong in a configuration.</summary>
/// <param name="Path">Place in the model, such as <c>services[0].backends[1].port</c>; empty when it is the file as a whole.</param>
/// <param name="Message">What is wrong and what is allowed, in one sentence.</param>
/// <param name="Value">The offending value as written; null when something is missing.</param>
public sealed record ConfigurationError(string Path, string Message, string? Value = null)
{
    private const int MaxShownCharacters = 120;

    /// <summary>File the value stands in; null when it came from code.</summary>
    public string? File { get; init; }

    /// <summary>Line in the file, from 1; 0 when not known.</summary>
    public int Line { get; init; }

    /// <summary>Column in the line, from 1; 0 when not known.</summary>
    public int Column { get; init; }

    /// <summary>One line for people, such as <c>gateway.yaml:14:11: services[0].port: "99999": is not a port from 1 to 65535</c>.</summary>
    public override string ToString()
    {
        var line = new StringBuilder();
        if (File is not null)
        {
            line.Append(File).Append(Line > 0 ? string.Create(CultureInfo.InvariantCulture, $":{Line}:{Column}: ") : ": ");
        }

        if (!string.IsNullOrEmpty(Path))
        {
            AppendShown(line, Path, MaxShownCharacters).Append(": ");
        }

        if (Value is not null)
        {
            AppendShown(line.Append('"'), Value, MaxShownCharacters).Append("\": ");
        }

        return AppendShown(line, Message, Message.Length).ToString();
    }

    /// <summary>What is in a file may hold line breaks and be of any length; an error stays one line that can be read.</summary>
    private static StringBuilder AppendShown(StringBuilder line, string text, int maxCharacters)
    {
        foreach (char character in text.AsSpan(0, Math.Min(text.Length, maxCharacters)))
        {
            _ = char.IsControl(character) ? line.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}") : line.Append(character);
        }

        return text.Length > maxCharacters ? line.Append('…') : line;
    }
}
