using System.Globalization;
using System.Text;
using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;

namespace Dataplane.Hosting.Tests.Configuration;

/// <summary>Anchors, aliases and merged mappings, where a file may have them, and their bounds.</summary>
public sealed class YamlAliasTests
{
    private readonly List<ConfigurationError> _errors = [];

    [Fact]
    public void Read_AliasesAndMerges_StandForWhatTheyName()
    {
        ConfigNode root = Read("""
            common: &common { image: web, ports: &ports [ 80, 81 ] }
            more: &more
              image: other
              user: u
            a: { <<: *common, name: a }
            b: { image: own, <<: [ *common, *more ] }
            c: *ports
            """);
        Assert.Empty(_errors);
        Assert.Equal("web a 2", $"{Text("a.image")} {Text("a.name")} {root.Find("a.ports")!.Items.Count}");
        Assert.Equal("own u 81", $"{Text("b.image")} {Text("b.user")} {root.Find("b.ports[1]")}");
        Assert.Equal("80", Text("c[0]"));
        Assert.DoesNotContain(root.Get("b")!.Entries, entry => entry.Key == "<<");

        // An error about it leads to where it is written.
        Assert.Equal(1, root.Place(new ConfigurationError("a.image", "is wrong")).Line);
        string Text(string path) => root.Find(path)!.Text;
    }

    [Theory]
    [InlineData("a: *none", "is an alias (*none) of an anchor (&none) that is not before it")]
    [InlineData("a: &a [ *a ]", "is an alias (*a) of an anchor (&a) that is not before it")]
    [InlineData("a: &a [ 1 ]\nb: { <<: *a }", "merges (<<) what is no mapping")]
    public void Read_Wrong_IsAnErrorWithItsLine(string text, string why)
    {
        Read(text);
        Assert.Contains(_errors, error => error.Message.Contains(why, StringComparison.Ordinal) && error.Line > 0);
    }

    [Fact]
    public void Read_AliasesOfAliases_AreBoundedInNumber()
    {
        var text = new StringBuilder("a0: &a0 [ x, x, x, x, x, x, x, x, x, x ]\n");
        for (int i = 1; i < 20; i++)
        {
            string before = $"*a{i - 1}";
            text.Append(CultureInfo.InvariantCulture, $"a{i}: &a{i} [ {string.Join(", ", Enumerable.Repeat(before, 10))} ]\n");
        }

        Assert.Null(YamlTreeReader.Read(text.ToString(), "bomb.yaml", _errors, takesAliases: true));
        Assert.Contains("more than 100000 values", Assert.Single(_errors).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AliasesInAliases_AreBoundedInDepth()
    {
        var text = new StringBuilder("a0: &a0 [ x ]\n");
        for (int i = 1; i < 40; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"a{i}: &a{i} [ *a{i - 1} ]\n");
        }

        Assert.Null(YamlTreeReader.Read(text.ToString(), "deep.yaml", _errors, takesAliases: true));
        Assert.Contains("nested deeper than", Assert.Single(_errors).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_Configurations_TakeNone()
    {
        YamlTreeReader.Read("a: &a 1\nb: *a\n", "own.yaml", _errors);
        Assert.Equal(2, _errors.Count);
    }

    private ConfigNode Read(string text) => YamlTreeReader.Read(text, "shared.yaml", _errors, takesAliases: true)!;
}
