using Dataplane.Configuration;

namespace Dataplane.Gateway.Compose;

/// <summary>Puts values of variables into the texts of a compose file, as compose does (compose-spec, interpolation); keys stay as they are.</summary>
/// <remarks>
/// <c>$NAME</c>, <c>${NAME}</c>, <c>${NAME:-other}</c> (unset or empty), <c>${NAME-other}</c> (unset), <c>${NAME:?why}</c> and <c>${NAME?why}</c> (an error), <c>${NAME:+other}</c> and <c>${NAME+other}</c> (if
/// there is one); <c>$$</c> is one <c>$</c>. What stands behind the operator may have variables itself.
/// </remarks>
/// <param name="find">The value of a variable; null: it is not set.</param>
/// <param name="errors">Takes what is wrong, with its line.</param>
/// <param name="remarks">Takes variables that are not set, for which nothing is taken.</param>
internal sealed class ComposeVariables(Func<string, string?> find, List<ConfigurationError> errors, List<ConfigurationError> remarks)
{
    private const int MaxDepth = 8;

    /// <summary>The tree with its variables' values.</summary>
    public ConfigNode Apply(ConfigNode node, string path = "") => node.Kind switch
    {
        ConfigNodeKind.Mapping => ConfigNode.Mapping(
            [.. node.Entries.Select(entry => new ConfigEntry(entry.Key, Apply(entry.Value, path.Length == 0 ? entry.Key : $"{path}.{entry.Key}")) { Line = entry.Line, Column = entry.Column })],
            node.File, node.Line, node.Column),
        ConfigNodeKind.Sequence => ConfigNode.Sequence([.. node.Items.Select((item, index) => Apply(item, $"{path}[{index}]"))], node.File, node.Line, node.Column),
        _ when node.Text.Contains('$', StringComparison.Ordinal) => ConfigNode.Scalar(Resolve(node.Text, node, path, 0), node.IsQuoted, node.File, node.Line, node.Column),
        _ => node,
    };

    /// <summary>Variables of a file of lines <c>NAME=VALUE</c>, such as <c>.env</c>; of a name that is there twice the last one counts.</summary>
    public static IReadOnlyDictionary<string, string> ReadFile(string path)
    {
        var values = new Dictionary<string, string>();
        foreach (string line in File.Exists(path) ? File.ReadAllLines(path) : [])
        {
            string text = line.Trim();
            text = text.StartsWith("export ", StringComparison.Ordinal) ? text[7..].TrimStart() : text;
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && text[0] != '#')
            {
                values[text[..equals].TrimEnd()] = Unquoted(text[(equals + 1)..].TrimStart());
            }
        }

        return values;
    }

    private static string Unquoted(string text)
    {
        if (text.Length > 0 && text[0] is '"' or '\'' && text.IndexOf(text[0], 1) is > 0 and int end)
        {
            return text[1..end];
        }

        int comment = text.IndexOf(" #", StringComparison.Ordinal);
        return (comment < 0 ? text : text[..comment]).TrimEnd();
    }

    private string Resolve(string text, ConfigNode node, string path, int depth)
    {
        var result = new System.Text.StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            string rest = text[(i + 1)..];
            if (text[i] != '$')
            {
                result.Append(text[i]);
            }
            else if (rest.StartsWith('$'))
            {
                result.Append('$');
                i++;
            }
            else if (rest.StartsWith('{') && depth < MaxDepth && EndOf(rest) is > 0 and int end && NameLength(rest[1..end]) is > 0 and int name)
            {
                result.Append(Value(rest[1..(name + 1)], rest[(name + 1)..end], node, path, depth));
                i += end + 1;
            }
            else if (NameLength(rest) is > 0 and int length)
            {
                result.Append(Value(rest[..length], "", node, path, depth));
                i += length;
            }
            else
            {
                Report(errors, node, path, "has a $ that begins no variable such as $NAME or ${NAME:-other}; $$ stands for one $", text);
                return text;
            }
        }

        return result.ToString();
    }

    private string Value(string name, string operation, ConfigNode node, string path, int depth)
    {
        string? value = find(name);
        bool isEmptyToo = operation.StartsWith(':'), isThere = isEmptyToo ? value is { Length: > 0 } : value is not null;
        string kind = operation.Length > (isEmptyToo ? 1 : 0) ? operation[isEmptyToo ? 1 : 0].ToString() : "", other = kind.Length == 0 ? "" : operation[(isEmptyToo ? 2 : 1)..];
        switch (kind)
        {
            case "-":
                return isThere ? value! : Resolve(other, node, path, depth + 1);
            case "+":
                return isThere ? Resolve(other, node, path, depth + 1) : "";
            case "?":
                if (!isThere)
                {
                    Report(errors, node, path, $"needs the variable {name}{(other.Length > 0 ? $": {other}" : ", which is not set")}");
                }

                return value ?? "";
            case "" when operation.Length == 0:
                if (value is null)
                {
                    Report(remarks, node, path, $"names the variable {name}, which is not set: it is left empty");
                }

                return value ?? "";
            default:
                Report(errors, node, path, $"has ${{{name}{operation}}}, in which {operation} is none of :-, -, :?, ?, :+ and + with what follows");
                return "";
        }
    }

    /// <summary>Where the brace that opens a text is closed; -1: nowhere.</summary>
    private static int EndOf(string text)
    {
        int open = 0;
        for (int i = 0; i < text.Length; i++)
        {
            open += i == 0 || (text[i] == '{' && text[i - 1] == '$') ? 1 : text[i] == '}' ? -1 : 0;
            if (open == 0)
            {
                return i;
            }
        }

        return -1;
    }

    private static int NameLength(string text) =>
        text.Length == 0 || char.IsAsciiDigit(text[0]) ? 0 : text.TakeWhile(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_').Count();

    private static void Report(List<ConfigurationError> list, ConfigNode node, string path, string message, string? value = null) =>
        list.Add(new ConfigurationError(path, message, value) { File = node.File, Line = node.Line, Column = node.Column });
}
