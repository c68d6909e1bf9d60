using Dataplane.Configuration;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Dataplane.Hosting.Configuration;

// Anchors and aliases, for files that are written with them. A few lines of aliases of aliases could stand for more than any memory holds: what they stand for is counted and bounded, in number and in depth.
internal sealed partial class YamlTreeReader
{
    /// <summary>Values a text may stand for: its own, and those of each alias.</summary>
    private const int MaxValues = 100_000;

    private const string MergeKey = "<<";

    private readonly bool _takesAliases;
    private readonly Dictionary<string, (ConfigNode Node, Measure Measure)> _anchors = [];
    private int _values;
    private int _deepest;

    /// <summary>How much a node stands for; while it is read, how much there was before it.</summary>
    private readonly record struct Measure(int Values, int Height);

    private YamlException TooDeep() => new(_last, _last, $"brackets or lists are nested deeper than {MaxDepth} levels");

    private Measure Begin()
    {
        var before = new Measure(_values, _deepest);
        Count(1);
        _deepest = _depth;
        return before;
    }

    private void End(ParsingEvent start, ConfigNode read, in Measure before)
    {
        if (_takesAliases && start is NodeEvent { Anchor.IsEmpty: false } node)
        {
            _anchors[node.Anchor.Value] = (read, new Measure(_values - before.Values, _deepest - _depth + 1));
        }

        _deepest = Math.Max(_deepest, before.Height);
    }

    private void Count(int values)
    {
        _values += values;
        if (_takesAliases && _values > MaxValues)
        {
            throw new YamlException(_last, _last, $"aliases and values stand for more than {MaxValues} values");
        }
    }

    /// <summary>The node that an alias stands for: it keeps the place where it was written.</summary>
    private ConfigNode Resolve(AnchorAlias alias, string path)
    {
        if (!_anchors.TryGetValue(alias.Value.Value, out (ConfigNode Node, Measure Measure) anchor))
        {
            _errors.Add(Error(path, $"is an alias (*{alias.Value}) of an anchor (&{alias.Value}) that is not before it", alias.Start));
            return ConfigNode.Scalar("", isQuoted: false, _file, Line(alias), Column(alias));
        }

        Count(anchor.Measure.Values);
        _deepest = Math.Max(_deepest, _depth + anchor.Measure.Height);
        return _deepest <= MaxDepth ? anchor.Node : throw TooDeep();
    }

    /// <summary>Entries with those of the mappings under <c>&lt;&lt;</c> behind them: its own keys count, then those of the mapping that is named first.</summary>
    private List<ConfigEntry> Merged(List<ConfigEntry> entries, string path)
    {
        if (!_takesAliases || !entries.Exists(entry => entry.Key == MergeKey))
        {
            return entries;
        }

        List<ConfigEntry> result = [.. entries.Where(entry => entry.Key != MergeKey)];
        HashSet<string> keys = [.. result.Select(entry => entry.Key)];
        foreach (ConfigEntry merge in entries.Where(entry => entry.Key == MergeKey))
        {
            foreach (ConfigNode source in merge.Value.Kind == ConfigNodeKind.Sequence ? merge.Value.Items : [merge.Value])
            {
                if (source.Kind != ConfigNodeKind.Mapping)
                {
                    _errors.Add(new ConfigurationError(path, $"merges ({MergeKey}) what is no mapping") { File = _file, Line = merge.Line, Column = merge.Column });
                }

                result.AddRange(source.Entries.Where(entry => keys.Add(entry.Key)));
            }
        }

        return result;
    }
}
