using Dataplane.Configuration;

namespace Dataplane.Tests.Configuration;

public class WordListTests
{
    [Theory]
    [InlineData("neighbors", "neighbours")]
    [InlineData("toPort", "to_port")]
    [InlineData("to-port", "to_port")]
    [InlineData("ToPort", "to_port")]
    [InlineData("sevrices", "services")]
    [InlineData("filters", "filter")]
    [InlineData("gateway", "via")]
    [InlineData("dport", "to_port")]
    [InlineData("proto", "protocol")]
    [InlineData("firewall", "filter")]
    public void Nearest_NearWord_IsTheOneMeant(string word, string meant) =>
        Assert.Equal(meant, WordList.Nearest(word, ConfigKeys.All.SelectMany(table => table.Keys)));

    [Theory]
    [InlineData("")]
    [InlineData("zzz")]
    [InlineData("_")]
    [InlineData("bananas")]
    [InlineData("a-very-long-word-that-nobody-would-ever-mean-as-a-key")]
    public void Nearest_FarWord_IsNone(string word) => Assert.Null(WordList.Nearest(word, ConfigKeys.All.SelectMany(table => table.Keys)));

    [Fact]
    public void Or_Words_ReadAsASentence()
    {
        Assert.Equal("", WordList.Or([]));
        Assert.Equal("a", WordList.Or(["a"]));
        Assert.Equal("a or b", WordList.Or(["a", "b"]));
        Assert.Equal("a, b or c", WordList.Or(["a", "b", "c"]));
    }
}
