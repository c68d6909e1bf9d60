using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Hosting.Reloading;
using Dataplane.Tests.Configuration;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Hosting.Tests.Reloading;

public sealed class SpecReuseTests
{
    [Fact]
    public void Of_AnyTwo_SaysWhatTheSecondSays() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        var random = new RandomSpecs(seed, isWild: false);
        DataplaneSpec before = random.Next(), drawn = random.Next(), same = new RandomSpecs(seed, isWild: false).Next();
        foreach (DataplaneSpec after in new[] { drawn, same with { Routes = drawn.Routes }, same with { Filter = drawn.Filter }, same with { Services = drawn.Services }, same })
        {
            Assert.Equal(SpecWriter.ToYaml(after), SpecWriter.ToYaml(SpecReuse.Of(before, after)));
        }

        DataplaneSpec reused = SpecReuse.Of(before, same);
        Assert.Same(before.Routes, reused.Routes);
        Assert.Same(before.Services, reused.Services);
        Assert.Same(before.Filter, reused.Filter);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

    [Theory]
    [InlineData("abc", "abc", "abc")]
    [InlineData("abc", "abxc", "ab.c")]
    [InlineData("abxc", "abc", "abc")]
    [InlineData("abc", "axc", "a.c")]
    [InlineData("aaa", "aa", "aa")]
    [InlineData("aa", "aaa", "aa.")]
    [InlineData("abcd", "dcba", "....")]
    [InlineData("", "ab", "..")]
    [InlineData("ab", "", "")]
    public void List_OfNames_ReusesWhatStandsWhereItStood(string before, string after, string reused)
    {
        FilterRuleSpec[] old = [.. before.Select(Rule)], now = [.. after.Select(Rule)];
        IReadOnlyList<FilterRuleSpec> list = SpecReuse.List(old, now, EqualityComparer<FilterRuleSpec>.Default.Equals);
        Assert.Equal(now, list);
        Assert.Equal(reused, string.Concat(list.Select(rule => old.Any(known => ReferenceEquals(known, rule)) ? rule.Name : ".")));
        Assert.Equal(list.Count, list.Distinct(ReferenceEqualityComparer.Instance).Count());

        static FilterRuleSpec Rule(char name) => new() { Name = name.ToString() };
    }
}
