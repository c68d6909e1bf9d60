using System.Globalization;
using System.Text;

namespace Dataplane.Hosting.Tests.Metrics;

/// <summary>Reads the text formats of Prometheus strictly, by their published grammar; shares nothing with the writer.</summary>
internal sealed class ExpositionParser
{
    private readonly Dictionary<string, Family> _families = [];
    private Family? _family;

    private ExpositionParser()
    {
    }

    public bool HasEnd { get; private set; }

    public IReadOnlyDictionary<string, Family> Families => _families;

    public static ExpositionParser Parse(string text)
    {
        Assert.True(text.EndsWith('\n'), "the last line has no end");
        var parser = new ExpositionParser();
        foreach (string line in text[..^1].Split('\n'))
        {
            Assert.False(parser.HasEnd, $"a line behind # EOF: {line}");
            parser.ReadLine(line);
        }

        return parser;
    }

    /// <summary>The value of the one sample that has the labels.</summary>
    public long Value(string family, params (string Name, string Value)[] labels) =>
        Families[family].Samples.Single(sample => labels.All(label => sample.Labels.Contains(label))).Value;

    private void ReadLine(string line)
    {
        if (line == "# EOF")
        {
            HasEnd = true;
        }
        else if (line.StartsWith("# ", StringComparison.Ordinal))
        {
            ReadMetadata(line.Split(' ', 4));
        }
        else
        {
            ReadSample(line);
        }
    }

    private void ReadMetadata(string[] words)
    {
        Assert.Equal(4, words.Length);
        AssertName(words[2]);
        switch (words[1])
        {
            case "HELP":
                _family = new Family(words[2], words[3]);
                Assert.True(_families.TryAdd(words[2], _family), $"the family {words[2]} is there twice");
                break;
            case "TYPE":
                Assert.Equal(_family!.Name, words[2]);
                Assert.Contains(words[3], new[] { "counter", "gauge" });
                _family.Type = words[3];
                break;
            case "UNIT":
                Assert.EndsWith("_" + words[3], _family!.Name, StringComparison.Ordinal);
                break;
            default:
                Assert.Fail($"unknown metadata {words[1]}");
                break;
        }
    }

    private void ReadSample(string line)
    {
        int end = line.IndexOfAny(['{', ' ']);
        string name = line[..end];
        AssertName(name);
        Assert.True(name == _family!.Name || name == _family.Name + "_total", $"{name} stands in the family {_family.Name}");
        var labels = new List<(string, string)>();
        int at = end;
        if (line[at] == '{')
        {
            for (at++; line[at - 1] != '}'; at++)
            {
                labels.Add(ReadLabel(line, ref at));
                Assert.True(line[at] is ',' or '}', line);
            }
        }

        Assert.Equal(' ', line[at]);
        long value = long.Parse(line.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        Assert.Equal(labels.Count, labels.Select(label => label.Item1).Distinct().Count());
        Assert.DoesNotContain(_family.Samples, sample => sample.Labels.SequenceEqual(labels));
        _family.Samples.Add(new Sample(name, labels, value));
    }

    private static (string Name, string Value) ReadLabel(string line, ref int at)
    {
        int equals = line.IndexOf('=', at);
        string name = line[at..equals];
        AssertName(name);
        Assert.Equal('"', line[equals + 1]);
        var value = new StringBuilder();
        for (at = equals + 2; line[at] != '"'; at++)
        {
            value.Append(line[at] == '\\' ? line[++at] switch { 'n' => '\n', '\\' => '\\', '"' => '"', _ => throw new FormatException(line) } : line[at]);
        }

        at++;
        return (name, value.ToString());
    }

    private static void AssertName(string name) => Assert.Matches("^[a-zA-Z_][a-zA-Z0-9_]*$", name);

    internal sealed class Family(string name, string help)
    {
        public string Name => name;

        public string Help => help;

        public string Type { get; set; } = "";

        public List<Sample> Samples { get; } = [];
    }

    internal sealed record Sample(string Name, IReadOnlyList<(string Name, string Value)> Labels, long Value);
}
