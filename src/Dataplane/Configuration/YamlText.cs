using System.Globalization;
using System.Text;

namespace Dataplane.Configuration;

/// <summary>Writes a configuration tree as YAML 1.2 that YAML 1.1 readers understand alike. What fits a line is written as <c>{ key: value }</c>.</summary>
internal static class YamlText
{
    private const int MaxLineLength = 140;
    private const int Indent = 2;

    public static string Write(ConfigNode root)
    {
        if (root.IsEmpty)
        {
            return "{}\n";
        }

        var text = new StringBuilder();
        WriteBlock(text, root, indent: 0, isTop: true);
        return text.ToString();
    }

    /// <summary>Writes a node line by line, behind <paramref name="indent"/> blanks, which stand there already for the first line.</summary>
    private static void WriteBlock(StringBuilder text, ConfigNode node, int indent, bool isTop)
    {
        bool isFirst = true;
        foreach (ConfigEntry entry in node.Entries)
        {
            Begin(text, indent, ref isFirst);
            string key = Scalar(entry.Key, mustQuote: false);
            text.Append(key).Append(':');

            // Lists of things stand one to a line as far as they are sections: such lines are compared, moved and commented out.
            bool isSection = isTop || (indent == Indent && entry.Value.Items.Any(item => item.Kind == ConfigNodeKind.Mapping));
            WriteValue(text, entry.Value, indent, key.Length + 1, mayBeFlow: !isSection);
        }

        foreach (ConfigNode item in node.Items)
        {
            Begin(text, indent, ref isFirst);
            text.Append('-');
            WriteItem(text, item, indent);
        }
    }

    private static void WriteValue(StringBuilder text, ConfigNode value, int indent, int used, bool mayBeFlow)
    {
        if (value.Kind == ConfigNodeKind.Scalar || value.IsEmpty || (mayBeFlow && Fits(value, indent + used + 1)))
        {
            text.Append(' ').Append(Flow(value)).Append('\n');
            return;
        }

        text.Append('\n').Append(' ', indent + Indent);
        WriteBlock(text, value, indent + Indent, isTop: false);
    }

    private static void WriteItem(StringBuilder text, ConfigNode item, int indent)
    {
        text.Append(' ');
        if (item.Kind == ConfigNodeKind.Scalar || item.IsEmpty || Fits(item, indent + Indent))
        {
            text.Append(Flow(item)).Append('\n');
            return;
        }

        WriteBlock(text, item, indent + Indent, isTop: false);
    }

    private static void Begin(StringBuilder text, int indent, ref bool isFirst)
    {
        if (!isFirst)
        {
            text.Append(' ', indent);
        }

        isFirst = false;
    }

    private static bool Fits(ConfigNode node, int column) => column + Flow(node).Length <= MaxLineLength;

    private static string Flow(ConfigNode node) => node.Kind switch
    {
        ConfigNodeKind.Scalar => Scalar(node.Text, node.IsQuoted),
        ConfigNodeKind.Sequence => node.IsEmpty ? "[]" : $"[ {string.Join(", ", node.Items.Select(Flow))} ]",
        _ => node.IsEmpty ? "{}" : $"{{ {string.Join(", ", node.Entries.Select(entry => $"{Scalar(entry.Key, mustQuote: false)}: {Flow(entry.Value)}"))} }}",
    };

    private static string Scalar(string text, bool mustQuote) => mustQuote || !IsPlain(text) ? Quote(text) : text;

    /// <summary>Whether every YAML reader takes the bare text for the same text, in lines and inside brackets.</summary>
    private static bool IsPlain(string text)
    {
        if (text.Length == 0 || !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/' or ':' or '+')
            || !(char.IsAsciiLetterOrDigit(text[0]) || text[0] is '/' or '_') || text[^1] == ':')
        {
            return false;
        }

        return text.ToLowerInvariant() is not ("null" or "yes" or "no" or "on" or "off" or "y" or "n") && !IsBase60(text);
    }

    /// <summary>YAML 1.1 takes 22:22 and 02:02:02:02:02:02 for numbers to the base of sixty.</summary>
    private static bool IsBase60(string text) => text.Contains(':', StringComparison.Ordinal) && text.All(c => char.IsAsciiDigit(c) || c is ':' or '.');

    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (Rune rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\t' => quoted.Append("\\t"),
                '\r' => quoted.Append("\\r"),
                var code when IsUnprintable(code) => quoted.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}"),
                _ => quoted.Append(rune),
            };
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>Controls, line breaks of YAML 1.1, the byte order mark, and what is no character (YAML 1.2, 5.1).</summary>
    private static bool IsUnprintable(int code) => code is < ' ' or (>= 0x7F and <= 0x9F) or 0x2028 or 0x2029 or 0xFEFF or 0xFFFE or 0xFFFF;
}
