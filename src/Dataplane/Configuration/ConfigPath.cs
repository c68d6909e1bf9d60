using System.Globalization;
using System.Text;

namespace Dataplane.Configuration;

/// <summary>The paths of errors: <c>key.key[index]</c>, and <c>["odd key"]</c> for a key that would not read as one.</summary>
internal static class ConfigPath
{
    /// <summary>More parts than any path has whose names are good; a longer one is of a name that is an error itself, and no work is spent on it.</summary>
    private const int MaxSteps = 64;

    public static string Key(string path, string key)
    {
        if (key.Length == 0 || key[0] == '.' || key[^1] == '.' || !key.All(IsPlain))
        {
            return $"{path}[\"{key.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"]";
        }

        return path.Length == 0 ? key : $"{path}.{key}";
    }

    public static string Index(string path, int index) => string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]");

    /// <summary>Whether a path is one of others, or leads to something inside one.</summary>
    public static bool IsAtOrUnder(string path, HashSet<string> others)
    {
        int length = path.Length;
        for (int steps = 0; length > 0 && steps < MaxSteps; steps++, length = path.AsSpan(0, length).LastIndexOfAny('.', '['))
        {
            if (others.Contains(path[..length]))
            {
                return true;
            }
        }

        return others.Contains("");
    }

    /// <summary>Follows a path as far as there are nodes.</summary>
    /// <returns>The innermost node, and how many characters of the path lead to it.</returns>
    public static (ConfigNode Node, int Consumed) Walk(ConfigNode root, string path)
    {
        ConfigNode node = root;
        int at = 0;
        while (at < path.Length)
        {
            (ConfigNode? next, int length) = Step(node, path.AsSpan(at), isFirst: at == 0);
            if (next is null)
            {
                break;
            }

            node = next;
            at += length;
        }

        return (node, at);
    }

    private static (ConfigNode? Next, int Length) Step(ConfigNode node, ReadOnlySpan<char> rest, bool isFirst)
    {
        if (rest.StartsWith("[\""))
        {
            (string key, int length) = ReadQuoted(rest);
            return (node.Get(key), length);
        }

        if (rest[0] == '[')
        {
            int close = rest.IndexOf(']');
            return close > 0 && int.TryParse(rest[1..close], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                ? (Element(node, index), close + 1)
                : (null, 0);
        }

        if (!isFirst && rest[0] != '.')
        {
            return (null, 0);
        }

        int dot = isFirst ? 0 : 1;
        (ConfigNode? value, int keyLength) = LongestKey(node, rest[dot..]);
        return (value, dot + keyLength);
    }

    /// <summary>A single element may stand without its list, so that element 0 of anything but a list or a null is the node itself.</summary>
    private static ConfigNode? Element(ConfigNode node, int index)
    {
        if (node.Kind == ConfigNodeKind.Sequence)
        {
            return index < node.Items.Count ? node.Items[index] : null;
        }

        return index == 0 && node.Kind == ConfigNodeKind.Mapping ? node : null;
    }

    /// <summary>Port names may hold dots (<c>eth0.100</c>), so the longest key that fits is taken rather than the text up to the next dot.</summary>
    private static (ConfigNode? Value, int Length) LongestKey(ConfigNode node, ReadOnlySpan<char> rest)
    {
        int length = rest.Length;
        for (int steps = 0; length > 0 && steps < MaxSteps; steps++, length = rest[..length].LastIndexOfAny('.', '['))
        {
            if (node.Get(rest[..length].ToString()) is { } value)
            {
                return (value, length);
            }
        }

        return (null, 0);
    }

    private static (string Key, int Length) ReadQuoted(ReadOnlySpan<char> rest)
    {
        var key = new StringBuilder();
        int at = 2;
        while (at < rest.Length && rest[at] != '"')
        {
            at += rest[at] == '\\' && at + 1 < rest.Length ? 1 : 0;
            key.Append(rest[at++]);
        }

        return (key.ToString(), Math.Min(at + 2, rest.Length));
    }

    private static bool IsPlain(char character) => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.';
}
