namespace Dataplane.Configuration;

/// <summary>A configuration before it is understood: scalars, sequences and mappings with the place each was written at.</summary>
/// <remarks>
/// Immutable. Files (YAML, JSON) and hosts (<c>IConfiguration</c>) are brought into this form, and <see cref="SpecReader"/> reads it; so every
/// source has the same keys and the same errors. Scalars stay text until a key says what they are: nothing is guessed from their looks,
/// hence <c>22:22</c>, <c>010</c> and <c>no</c> mean what is written and not 1342, 8 and false as in YAML 1.1.
/// </remarks>
public sealed class ConfigNode
{
    private static readonly Dictionary<string, ConfigNode> s_noKeys = [];
    private Dictionary<string, ConfigNode> _byKey = s_noKeys;

    private ConfigNode(ConfigNodeKind kind, string? file, int line, int column)
    {
        Kind = kind;
        File = file;
        Line = line;
        Column = column;
    }

    /// <summary>The shape, which tells which of the other properties hold something.</summary>
    public ConfigNodeKind Kind { get; }

    /// <summary>File (or other source) the node stands in; null when it came from code.</summary>
    public string? File { get; }

    /// <summary>Line of the node's first character, from 1; 0 when not known.</summary>
    public int Line { get; }

    /// <summary>Column of the node's first character, from 1; 0 when not known.</summary>
    public int Column { get; }

    /// <summary>The text of a scalar, without quotes; empty for the other kinds.</summary>
    public string Text { get; private init; } = "";

    /// <summary>True for a scalar that was written in quotes or as a block, so that an empty text is a text and not nothing.</summary>
    public bool IsQuoted { get; private init; }

    /// <summary>The elements of a sequence; empty for the other kinds.</summary>
    public IReadOnlyList<ConfigNode> Items { get; private init; } = [];

    /// <summary>The entries of a mapping, in the order they were written; empty for the other kinds.</summary>
    public IReadOnlyList<ConfigEntry> Entries { get; private init; } = [];

    /// <summary>True for a scalar that says nothing: an empty, <c>~</c> or <c>null</c> that was not quoted (YAML 1.2, 10.3.2). It counts as left out.</summary>
    public bool IsNull => Kind == ConfigNodeKind.Scalar && !IsQuoted && Text is "" or "~" or "null" or "Null" or "NULL";

    /// <summary>True when nothing is in it: a null, a sequence without elements, a mapping without keys.</summary>
    public bool IsEmpty => Kind switch
    {
        ConfigNodeKind.Sequence => Items.Count == 0,
        ConfigNodeKind.Mapping => Entries.Count == 0,
        _ => IsNull,
    };

    /// <summary>Elements of a list that this stands for, which were read before; null for what is to be read.</summary>
    internal KnownElements? Known { get; private init; }

    /// <summary>The line in which what was written ends, at the earliest; 0 when not known.</summary>
    internal int LastLine { get; private init; }

    /// <summary>Makes what stands for elements that were read before.</summary>
    internal static ConfigNode Of(KnownElements known, string file, int line) => new(ConfigNodeKind.Scalar, file, line, 1) { Known = known, IsQuoted = true };

    /// <summary>Makes a scalar.</summary>
    public static ConfigNode Scalar(string text, bool isQuoted = false, string? file = null, int line = 0, int column = 0)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new ConfigNode(ConfigNodeKind.Scalar, file, line, column) { Text = text, IsQuoted = isQuoted };
    }

    /// <summary>Makes a sequence.</summary>
    public static ConfigNode Sequence(IReadOnlyList<ConfigNode> items, string? file = null, int line = 0, int column = 0)
    {
        ArgumentNullException.ThrowIfNull(items);
        return new ConfigNode(ConfigNodeKind.Sequence, file, line, column) { Items = items };
    }

    /// <summary>Makes a sequence that ends in a line known.</summary>
    internal static ConfigNode Sequence(IReadOnlyList<ConfigNode> items, string file, int line, int column, int lastLine) =>
        new(ConfigNodeKind.Sequence, file, line, column) { Items = items, LastLine = lastLine };

    /// <summary>Makes a mapping. Of keys that are there twice the first counts, and <see cref="SpecReader"/> reports the second.</summary>
    public static ConfigNode Mapping(IReadOnlyList<ConfigEntry> entries, string? file = null, int line = 0, int column = 0) => Mapping(entries, file, line, column, 0);

    /// <summary>Makes a mapping that ends in a line known.</summary>
    internal static ConfigNode Mapping(IReadOnlyList<ConfigEntry> entries, string? file, int line, int column, int lastLine)
    {
        ArgumentNullException.ThrowIfNull(entries);
        var byKey = new Dictionary<string, ConfigNode>(entries.Count, StringComparer.Ordinal);
        foreach (ConfigEntry entry in entries)
        {
            byKey.TryAdd(entry.Key, entry.Value);
        }

        return new ConfigNode(ConfigNodeKind.Mapping, file, line, column) { Entries = entries, LastLine = lastLine, _byKey = byKey };
    }

    /// <summary>The value of a key; null when this is no mapping or has no such key.</summary>
    public ConfigNode? Get(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>The node at the path of an error, such as <c>services[0].backends[1].port</c> or <c>ports.wan.kind</c>; null when there is none.</summary>
    /// <remarks>One element that was written without its list is found as element 0: <c>via: 10.0.0.1</c> is <c>via[0]</c>.</remarks>
    public ConfigNode? Find(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        (ConfigNode node, int consumed) = ConfigPath.Walk(this, path);
        return consumed == path.Length ? node : null;
    }

    /// <summary>Adds to an error the place its path leads to, and the value as it was written there.</summary>
    /// <remarks>
    /// Where the path leads further than the file does, the error gets the place of the innermost node there is: of the mapping in which a key
    /// is missing, or of the short form (<c>via: 10.0.0.1</c> for <c>via[0].address</c>), whose path and text it then takes.
    /// An error that has a place keeps it.
    /// </remarks>
    public ConfigurationError Place(ConfigurationError error)
    {
        ArgumentNullException.ThrowIfNull(error);
        if (error.Line > 0)
        {
            return error;
        }

        (ConfigNode node, int consumed) = ConfigPath.Walk(this, error.Path);
        bool isText = node.Kind == ConfigNodeKind.Scalar && !node.IsNull;
        return error with
        {
            Path = isText ? error.Path[..consumed] : error.Path,
            Value = isText && (error.Value is not null || consumed < error.Path.Length) ? node.Text : error.Value,
            File = node.File,
            Line = node.Line,
            Column = node.Column,
        };
    }

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        ConfigNodeKind.Scalar => Text,
        ConfigNodeKind.Sequence => $"[{Items.Count} elements]",
        _ => $"{{{string.Join(", ", Entries.Select(entry => entry.Key))}}}",
    };
}
