using Dataplane.Configuration;

namespace Dataplane.Tests.Configuration;

public class ConfigNodeTests
{
    private static readonly ConfigNode s_root = Map(1,
        ("ports", Map(2,
            ("wan", Map(3, ("kind", Text("memory", 3)))),
            ("eth0", Text("a", 4)),
            ("eth0.100", Map(5, ("kind", Text("b", 5)))),
            ("a\"b", Text("c", 6)))),
        ("routes", ConfigNode.Sequence(
            [
                Map(7, ("to", Text("10.0.0.0/8", 7)), ("via", Text("10.0.0.1", 8))),
                Map(9, ("via", Map(9, ("weight", Text("3", 9))))),
            ], "f", 7, 1)));

    [Theory]
    [InlineData("ports.wan.kind", "memory")]
    [InlineData("ports.eth0", "a")]
    [InlineData("ports.eth0.100.kind", "b")]
    [InlineData("ports[\"a\\\"b\"]", "c")]
    [InlineData("routes[0].to", "10.0.0.0/8")]
    [InlineData("routes[1].via[0].weight", "3")]
    [InlineData("routes[1].via.weight", "3")]
    public void Find_PathOfAnError_LeadsToTheNode(string path, string text) => Assert.Equal(text, s_root.Find(path)?.Text);

    [Theory]
    [InlineData("nothing")]
    [InlineData("ports.wa")]
    [InlineData("ports.wan.kind.deeper")]
    [InlineData("ports.eth0.101")]
    [InlineData("routes[2]")]
    [InlineData("routes[1].via[1].weight")]
    [InlineData("routes[-1]")]
    [InlineData("routes[")]
    [InlineData("routes[\"")]
    [InlineData("[")]
    [InlineData(".")]
    [InlineData("ports..wan")]
    public void Find_PathToNothing_IsNull(string path) => Assert.Null(s_root.Find(path));

    [Fact]
    public void Find_EmptyPath_IsTheNodeItself() => Assert.Same(s_root, s_root.Find(""));

    [Fact]
    public void Place_ErrorOfAValue_GetsPlaceAndTextAsWritten()
    {
        ConfigurationError placed = s_root.Place(new ConfigurationError("routes[0].to", "is wrong", "10.0.0.0/8 in other words"));
        Assert.Equal("f:7:1: routes[0].to: \"10.0.0.0/8\": is wrong", placed.ToString());
    }

    [Fact]
    public void Place_ErrorInsideAShortForm_GetsThePathAndTextOfTheShortForm()
    {
        ConfigurationError placed = s_root.Place(new ConfigurationError("routes[0].via[0].address", "is wrong", "10.0.0.1"));
        Assert.Equal("f:8:1: routes[0].via: \"10.0.0.1\": is wrong", placed.ToString());
    }

    [Fact]
    public void Place_ErrorOfAMissingKey_GetsThePlaceOfItsMapping()
    {
        ConfigurationError placed = s_root.Place(new ConfigurationError("ports.wan.interface", "is missing"));
        Assert.Equal("f:3:1: ports.wan.interface: is missing", placed.ToString());
    }

    [Fact]
    public void Place_ErrorThatHasAPlace_KeepsIt()
    {
        var error = new ConfigurationError("ports", "x", "v") { File = "g", Line = 70, Column = 2 };
        Assert.Equal(error, s_root.Place(error));
    }

    [Theory]
    [InlineData("", false, true)]
    [InlineData("~", false, true)]
    [InlineData("null", false, true)]
    [InlineData("", true, false)]
    [InlineData("null", true, false)]
    [InlineData("nil", false, false)]
    public void IsNull_Scalar_DependsOnQuotes(string text, bool isQuoted, bool isNull) => Assert.Equal(isNull, ConfigNode.Scalar(text, isQuoted).IsNull);

    [Fact]
    public void ToString_ErrorWithLineBreaksAndLength_IsOneShortLine()
    {
        string line = new ConfigurationError("a", "is wrong", "x\ny" + new string('z', 1000)).ToString();
        Assert.StartsWith("a: \"x\\u000ayzz", line, StringComparison.Ordinal);
        Assert.EndsWith("zz…\": is wrong", line, StringComparison.Ordinal);
        Assert.True(line.Length < 160);
        Assert.Equal("f: is gone", new ConfigurationError("", "is gone") { File = "f" }.ToString());
    }

    private static ConfigNode Text(string text, int line) => ConfigNode.Scalar(text, isQuoted: false, "f", line, 1);

    private static ConfigNode Map(int line, params (string Key, ConfigNode Value)[] entries) =>
        ConfigNode.Mapping([.. entries.Select(entry => new ConfigEntry(entry.Key, entry.Value))], "f", line, 1);
}
