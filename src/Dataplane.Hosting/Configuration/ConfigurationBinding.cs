using System.Globalization;
using System.Text;
using Dataplane.Configuration;
using Microsoft.Extensions.Configuration;

namespace Dataplane.Hosting.Configuration;

/// <summary>Reads the engine's configuration from the host's: appsettings.json, environment variables and whatever else it is made of.</summary>
/// <remarks>
/// The keys are those of files, in any case and with or without underscores: <c>FlowEntries</c>, <c>flow_entries</c> and <c>FLOW_ENTRIES</c> are one.
/// Hosts sort keys, so ports come in alphabetical order, whatever the order in the file.
/// </remarks>
public static class ConfigurationBinding
{
    /// <summary>Deeper than any key is; what lies below is inside something that is an error already.</summary>
    private const int MaxDepth = 8;

    /// <summary>Reads and checks a section, such as <c>configuration.GetSection("Dataplane")</c>.</summary>
    /// <param name="section">The section.</param>
    /// <param name="change">Adds to what was read, before it is checked as a whole: ports that are code, for instance. Errors it throws are told with the others.</param>
    public static LoadResult Load(IConfiguration section, Func<DataplaneSpec, DataplaneSpec>? change = null) => LoadResult.From(ToNode(section), change: change);

    /// <summary>Brings a section into the form that <see cref="SpecReader"/> reads. Keys 0 to n make a list.</summary>
    public static ConfigNode ToNode(IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        string? source = section is IConfigurationSection named ? named.Path : null;
        ConfigEntry[] entries = [.. section.GetChildren().Select(child => Entry(child, source, depth: 1, isNamed: false))];
        return ConfigNode.Mapping(entries, source);
    }

    private static ConfigEntry Entry(IConfigurationSection section, string? source, int depth, bool isNamed)
    {
        string key = isNamed ? section.Key : SnakeCase(section.Key);
        return new ConfigEntry(key, Node(section, source, depth, isPorts: depth == 1 && key == "ports"));
    }

    private static ConfigNode Node(IConfigurationSection section, string? source, int depth, bool isPorts)
    {
        IConfigurationSection[] children = depth < MaxDepth ? [.. section.GetChildren()] : [];
        if (children.Length == 0)
        {
            // An empty list or object of JSON arrives as an empty text, and a null as none; both say nothing.
            return ConfigNode.Scalar(section.Value ?? "", isQuoted: false, source);
        }

        // The names of ports are free, 0 included.
        if (!isPorts && Array.TrueForAll(children, child => int.TryParse(child.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            return ConfigNode.Sequence([.. children.Select(child => Node(child, source, depth + 1, isPorts: false))], source);
        }

        return ConfigNode.Mapping([.. children.Select(child => Entry(child, source, depth + 1, isNamed: isPorts))], source);
    }

    private static string SnakeCase(string key)
    {
        var snake = new StringBuilder();
        for (int index = 0; index < key.Length; index++)
        {
            // A word begins at an upper-case letter behind a lower-case one: an environment variable is in upper case throughout.
            if (index > 0 && char.IsAsciiLetterUpper(key[index]) && (char.IsAsciiLetterLower(key[index - 1]) || char.IsAsciiDigit(key[index - 1])))
            {
                snake.Append('_');
            }

            snake.Append(char.ToLowerInvariant(key[index]));
        }

        return snake.ToString();
    }
}
