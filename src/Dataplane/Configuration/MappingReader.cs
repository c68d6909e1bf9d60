using System.Globalization;
using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>Reads the values of one mapping by key.</summary>
/// <remarks>What is wrong goes to the list of errors, and the value then is the one the key has when left out.</remarks>
internal readonly struct MappingReader
{
    private readonly ConfigNode _node;
    private readonly string _path;
    private readonly List<ConfigurationError> _errors;

    /// <summary>Whether something else stands in place of the mapping, so that saying what is missing in it adds nothing.</summary>
    private readonly bool _isOther;

    private MappingReader(ConfigNode node, string path, List<ConfigurationError> errors)
    {
        _node = node;
        _path = path;
        _errors = errors;
        _isOther = node.Kind != ConfigNodeKind.Mapping && !node.IsNull;
    }

    /// <summary>Begins with a node that should be a mapping; unknown keys are reported here.</summary>
    public static MappingReader Open(ConfigNode node, string path, KeyTable keys, List<ConfigurationError> errors)
    {
        var reader = new MappingReader(node, path, errors);
        if (reader._isOther)
        {
            errors.Add(Wrong(node, path, $"is {KindOf(node)} where {keys.Subject} is needed: a mapping with the keys {string.Join(", ", keys.Keys)}"));
        }

        CheckUnique(node, path, errors);
        foreach (ConfigEntry entry in node.Entries)
        {
            if (!keys.Keys.Contains(entry.Key) && ReferenceEquals(node.Get(entry.Key), entry.Value))
            {
                errors.Add(AtKey(entry, path, keys.Unknown(entry.Key)));
            }
        }

        return reader;
    }

    /// <summary>Reports keys that are there twice: most YAML readers take the last without a word, and half of what was written is gone.</summary>
    public static void CheckUnique(ConfigNode node, string path, List<ConfigurationError> errors)
    {
        var seen = new Dictionary<string, ConfigEntry>(StringComparer.Ordinal);
        foreach (ConfigEntry entry in node.Entries)
        {
            if (!seen.TryAdd(entry.Key, entry))
            {
                int line = seen[entry.Key].Line;
                string first = line > 0 ? string.Create(CultureInfo.InvariantCulture, $", first in line {line}") : "";
                errors.Add(AtKey(entry, path, $"is there twice{first}; a key may be there once"));
            }
        }
    }

    public string PathOf(string key) => ConfigPath.Key(_path, key);

    /// <summary>The node of a key; null when the key is left out or says nothing.</summary>
    public ConfigNode? Value(string key) => _node.Get(key) is { IsNull: false } value ? value : null;

    /// <summary>The elements of a list with their paths; none when the key is left out.</summary>
    public IEnumerable<(ConfigNode Node, string Path)> Items(string key, string element)
    {
        string path = PathOf(key);
        ConfigNode? list = Value(key);
        if (list is not null && list.Kind != ConfigNodeKind.Sequence)
        {
            _errors.Add(Wrong(list, path, $"is {KindOf(list)} where a list is needed: put \"- \" before {element}, or [ ] around all"));
        }

        return list is null ? [] : list.Items.Select((item, index) => (item, ConfigPath.Index(path, index)));
    }

    /// <summary>A text; <paramref name="needed"/> says what must be there, and null that nothing must.</summary>
    public string Text(string key, string? needed = null) => Scalar(key, needed, needed ?? "one text") ?? "";

    public IpAddress Address(string key) =>
        Scalar(key, "an IPv4 or IPv6 address", "an address") is { } text ? TextReading.Address(text, PathOf(key), _errors) : default;

    public IpPrefix AddressOrPrefix(string key) =>
        Scalar(key, "an IPv4 or IPv6 address", "an address") is { } text ? TextReading.AddressOrPrefix(text, PathOf(key), _errors) : default;

    public IpAddress? OptionalAddress(string key) =>
        Scalar(key, null, "an address") is { } text ? TextReading.Address(text, PathOf(key), _errors) : null;

    public IpPrefix Prefix(string key, string needed) =>
        Scalar(key, needed, needed) is { } text ? TextReading.Prefix(text, PathOf(key), _errors) : default;

    public IpPrefix Destination(string key) =>
        Scalar(key, "a prefix", "a prefix") is { } text ? TextReading.PrefixOrAddress(text, PathOf(key), _errors) : default;

    public IpPrefix? OptionalPrefix(string key) =>
        Scalar(key, null, "a prefix") is { } text ? TextReading.PrefixOrAddress(text, PathOf(key), _errors) : null;

    public MacAddress? OptionalMac(string key) =>
        Scalar(key, null, "a hardware address") is { } text ? TextReading.Mac(text, PathOf(key), _errors) : null;

    public MacAddress Mac(string key) =>
        Scalar(key, "a hardware address", "a hardware address") is { } text ? TextReading.Mac(text, PathOf(key), _errors) : default;

    /// <summary>A whole number in a range, or the one for a key left out.</summary>
    public long Integer(string key, IntRange range, long otherwise) => OptionalInteger(key, range) ?? otherwise;

    public long? OptionalInteger(string key, IntRange range)
    {
        if (Scalar(key, null, $"a {range.Noun}") is not { } text)
        {
            return null;
        }

        if (TextReading.TryInteger(text, out BigInteger value) && value >= range.Min && value <= range.Max)
        {
            return (long)value;
        }

        _errors.Add(new ConfigurationError(PathOf(key), range.Problem, text));
        return null;
    }

    /// <summary>A whole number that must be there; 0 when it is not.</summary>
    public long RequiredInteger(string key, IntRange range)
    {
        if (Value(key) is null)
        {
            Missing(key, $"a {range.Noun}");
        }

        return OptionalInteger(key, range) ?? 0;
    }

    /// <summary>Whole numbers in a range; none when the key is left out, and those that are wrong are 0.</summary>
    public IReadOnlyList<int> Integers(string key, string element, IntRange range)
    {
        var numbers = new List<int>();
        foreach ((ConfigNode node, string path) in Items(key, element))
        {
            bool isScalar = node.Kind == ConfigNodeKind.Scalar && !node.IsNull;
            if (isScalar && TextReading.TryInteger(node.Text, out BigInteger value) && value >= range.Min && value <= range.Max)
            {
                numbers.Add((int)value);
                continue;
            }

            _errors.Add(Wrong(node, path, node.Kind == ConfigNodeKind.Scalar ? range.Problem : $"is {KindOf(node)} where a {range.Noun} is needed"));
            numbers.Add(0);
        }

        return numbers;
    }

    public ulong? OptionalUnsigned(string key)
    {
        if (Scalar(key, null, "a whole number") is not { } text)
        {
            return null;
        }

        if (TextReading.TryInteger(text, out BigInteger value) && value >= 0 && value <= ulong.MaxValue)
        {
            return (ulong)value;
        }

        _errors.Add(new ConfigurationError(PathOf(key), $"is not a whole number from 0 to {ulong.MaxValue}", text));
        return null;
    }

    public bool Flag(string key)
    {
        string? text = Scalar(key, null, "true or false");
        if (text is not (null or "true" or "True" or "TRUE" or "false" or "False" or "FALSE"))
        {
            _errors.Add(new ConfigurationError(PathOf(key), "is not true or false", text));
        }

        return text is "true" or "True" or "TRUE";
    }

    /// <summary>One of a list of words; null when left out or wrong.</summary>
    public T? Choice<T>(string key, NameTable<T> names, bool isNeeded = false)
        where T : struct
    {
        string allowed = WordList.Or(names.Names);
        if (Scalar(key, isNeeded ? allowed : null, allowed) is not { } text)
        {
            return null;
        }

        if (names.TryRead(text, out T value))
        {
            return value;
        }

        _errors.Add(new ConfigurationError(PathOf(key), names.Problem + WordList.DidYouMean(text, names.Names), text));
        return null;
    }

    /// <summary>The text of a key; null when it is left out (an error if something is needed) or is no single value (an error).</summary>
    public string? Scalar(string key, string? needed, string noun)
    {
        ConfigNode? value = Value(key);
        if (value is null)
        {
            if (needed is not null)
            {
                Missing(key, needed);
            }

            return null;
        }

        if (value.Kind == ConfigNodeKind.Scalar)
        {
            return value.Text;
        }

        _errors.Add(Wrong(value, PathOf(key), $"is {KindOf(value)} where {noun} is needed{QuoteHint(value)}"));
        return null;
    }

    public void Error(string key, string message, string? value) => _errors.Add(new ConfigurationError(PathOf(key), message, value));

    internal static string KindOf(ConfigNode node) => node.Kind switch
    {
        ConfigNodeKind.Sequence => "a list",
        ConfigNodeKind.Mapping => "a mapping",
        _ => "a single value",
    };

    /// <summary>Inside [ ] and { } YAML takes the end of <c>fe80::</c> for a key with nothing behind it.</summary>
    internal static string QuoteHint(ConfigNode node) =>
        node is { Kind: ConfigNodeKind.Mapping, Entries: [{ Value.IsNull: true } entry] } && entry.Key.EndsWith(':')
            ? $"; an address that ends in a colon must stand in quotes here: \"{entry.Key}:\""
            : "";

    private static ConfigurationError AtKey(ConfigEntry entry, string path, string message) =>
        new(ConfigPath.Key(path, entry.Key), message) { File = entry.Value.File, Line = entry.Line, Column = entry.Column };

    private static ConfigurationError Wrong(ConfigNode node, string path, string message) =>
        new(path, message, node.Kind == ConfigNodeKind.Scalar ? node.Text : null);

    private void Missing(string key, string needed)
    {
        if (!_isOther)
        {
            _errors.Add(new ConfigurationError(PathOf(key), $"is missing: {needed} is needed"));
        }
    }
}
