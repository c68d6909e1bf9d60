using System.Globalization;
using Dataplane.Configuration;
using YamlDotNet.Core;

namespace Dataplane.Hosting.Configuration;

/// <summary>Says in words of the file what the parser says in words of its grammar.</summary>
internal static class SyntaxErrors
{
    public static ConfigurationError Explain(string text, string file, string message, Mark at, Stack<(char Bracket, Mark Start)> open)
    {
        (string reason, int line, int column) = Reason(text, message, (int)at.Line, (int)at.Column, open);
        return new ConfigurationError("", $"is not valid YAML: {reason}") { File = file, Line = Math.Max(1, line), Column = Math.Max(1, column) };
    }

    /// <summary>Line and column of a character, both from 1.</summary>
    public static (int Line, int Column) PlaceOf(string text, int index)
    {
        ReadOnlySpan<char> before = text.AsSpan(0, index);
        return (before.Count('\n') + 1, index - before.LastIndexOf('\n'));
    }

    private static (string Reason, int Line, int Column) Reason(string text, string message, int line, int column, Stack<(char Bracket, Mark Start)> open)
    {
        if (FirstTabIndent(text, line) is { } tab && (Says(message, "tab") || Says(message, "cannot start any token")))
        {
            return ("a tab stands in the indentation, where only blanks may", tab, 1);
        }

        string character = CharacterAt(text, line, column);
        bool isInQuotes = Says(message, "quoted scalar");
        bool isAboutBrackets = message.Length == 0 || Says(message, "expected ','") || (Says(message, "end of stream") && !isInQuotes);
        if (isAboutBrackets && open.TryPeek(out (char Bracket, Mark Start) last))
        {
            char close = last.Bracket == '{' ? '}' : ']';
            return ($"the '{last.Bracket}' here lacks its '{close}', or a comma is missing inside", (int)last.Start.Line, (int)last.Start.Column);
        }

        string reason = message switch
        {
            _ when Says(message, "invalid mapping") => "a second ':' with a blank behind it stands in this line; put text that holds \": \" in quotes",
            _ when character is "']'" or "'}'" or "','" || Says(message, "node content") || Says(message, "<document end>") =>
                $"{character} is not expected here; check the commas and brackets before it",
            _ when Says(message, "expected key") => "this line does not continue the mapping above it; check its indentation, and the ':' behind its key",
            _ when Says(message, "'-' indicator") => "this line does not continue the list above it; check its indentation, and the blank behind '-'",
            _ when Says(message, "cannot start any token") => $"{character} cannot begin a value; put the value in quotes",
            _ when isInQuotes && Says(message, "end of stream") => "the quote that begins here is never closed",
            _ when Says(message, "escape") => "in double quotes '\\' begins an escape as in JSON; double it, or use single quotes",
            _ when Says(message, "simple key") => "a ':' is missing behind the key, or the key goes over several lines",
            "" => "the text cannot be understood here",
            _ => message.TrimEnd('.').Replace("While ", "while ", StringComparison.Ordinal),
        };
        return (reason, line, column);
    }

    private static bool Says(string message, string words) => message.Contains(words, StringComparison.OrdinalIgnoreCase);

    /// <summary>The first line at or behind one that has a tab among its leading blanks; null when there is none.</summary>
    private static int? FirstTabIndent(string text, int from)
    {
        int number = 0;
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (++number >= from && line[..^line.TrimStart().Length].Contains('\t'))
            {
                return number;
            }
        }

        return null;
    }

    private static string CharacterAt(string text, int line, int column)
    {
        int number = 0;
        foreach (ReadOnlySpan<char> content in text.AsSpan().EnumerateLines())
        {
            if (++number == line)
            {
                return column >= 1 && column <= content.Length
                    ? string.Create(CultureInfo.InvariantCulture, $"'{content[column - 1]}'")
                    : "the end of the line";
            }
        }

        return "the end of the text";
    }
}
