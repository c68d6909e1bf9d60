using System.Globalization;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>A node of an object of Kubernetes, written in YAML or in JSON: what is not there, and what is of another kind, reads as empty.</summary>
/// <remarks>So that manifests in files and objects from an API server are read by one and the same code.</remarks>
internal readonly struct ObjectNode
{
    private readonly YamlNode? _yaml;
    private readonly JsonElement _json;

    /// <summary>Begins with a node of a file.</summary>
    public ObjectNode(YamlNode yaml) => _yaml = yaml;

    /// <summary>Begins with a node of what a server said; its document must not be disposed before the node has been read.</summary>
    public ObjectNode(JsonElement json) => _json = json;

    /// <summary>Reads the one document of a YAML text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Name of its file, for messages.</param>
    /// <exception cref="InvalidDataException">It is no YAML, or not one document.</exception>
    public static ObjectNode ParseYaml(string text, string file)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException exception)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{file}:{exception.Start.Line}:{exception.Start.Column}: {exception.Message}"), exception);
        }

        return stream.Documents.Count == 1 ? new ObjectNode(stream.Documents[0].RootNode) : throw new InvalidDataException($"{file}: has {stream.Documents.Count} documents where one is needed");
    }

    /// <summary>Where it stands in its file, as <c>:3:18</c>; empty for what stands in no file.</summary>
    public string Place => _yaml is { } yaml ? string.Create(CultureInfo.InvariantCulture, $":{yaml.Start.Line}:{yaml.Start.Column}") : "";

    /// <summary>A member of a mapping.</summary>
    public ObjectNode this[string key]
    {
        get
        {
            if (_yaml is null)
            {
                return _json.ValueKind == JsonValueKind.Object && _json.TryGetProperty(key, out JsonElement value) ? new ObjectNode(value) : default;
            }

            return _yaml is YamlMappingNode mapping && mapping.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? child) ? new ObjectNode(child) : default;
        }
    }

    /// <summary>Whether a member is there, whatever it is.</summary>
    public bool Has(string key)
    {
        ObjectNode member = this[key];
        return member._yaml is not null || member._json.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);
    }

    /// <summary>The text of a single value: that of a string, a number, <c>true</c> or <c>false</c>; empty for null and for what is no single value.</summary>
    public string Text()
    {
        if (_yaml is not null)
        {
            return _yaml is YamlScalarNode { Value: { } value } scalar && (value is not ("null" or "~") || scalar.Style != ScalarStyle.Plain) ? value : "";
        }

        return _json.ValueKind switch
        {
            JsonValueKind.String => _json.GetString()!,
            JsonValueKind.Number => _json.GetRawText(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => "",
        };
    }

    /// <summary>The text of a member.</summary>
    public string Text(string key) => this[key].Text();

    /// <summary>The text of a member's member.</summary>
    public string Text(string key, string inner) => this[key][inner].Text();

    /// <summary>The elements of a member that is a list.</summary>
    public IEnumerable<ObjectNode> Items(string key)
    {
        ObjectNode list = this[key];
        if (list._yaml is not null)
        {
            return list._yaml is YamlSequenceNode sequence ? sequence.Children.Select(child => new ObjectNode(child)) : [];
        }

        return list._json.ValueKind == JsonValueKind.Array ? list._json.EnumerateArray().Select(child => new ObjectNode(child)) : [];
    }

    /// <summary>The members of a mapping, in their order.</summary>
    public IEnumerable<(string Key, ObjectNode Value)> Members() =>
        _yaml is YamlMappingNode mapping ? mapping.Children.Select(child => (new ObjectNode(child.Key).Text(), new ObjectNode(child.Value)))
        : _yaml is null && _json.ValueKind == JsonValueKind.Object ? _json.EnumerateObject().Select(entry => (entry.Name, new ObjectNode(entry.Value))) : [];

    /// <summary>A mapping of texts to texts, such as labels.</summary>
    public Dictionary<string, string> Texts()
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (_yaml is YamlMappingNode mapping)
        {
            foreach ((YamlNode key, YamlNode value) in mapping.Children)
            {
                texts[new ObjectNode(key).Text()] = new ObjectNode(value).Text();
            }
        }
        else if (_yaml is null && _json.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty entry in _json.EnumerateObject())
            {
                texts[entry.Name] = new ObjectNode(entry.Value).Text();
            }
        }

        return texts;
    }
}
