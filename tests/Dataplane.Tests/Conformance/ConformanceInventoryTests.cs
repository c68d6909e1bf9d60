using System.Text.RegularExpressions;

namespace Dataplane.Tests.Conformance;

/// <summary>That the suite is as large as it says, and that every case says where its rule is from.</summary>
public sealed partial class ConformanceInventoryTests
{
    [Fact]
    public void Cases_AreFourHundredAtLeast_InBothFamilies()
    {
        ConformanceCase[] cases = [.. ConformanceGroups.All.SelectMany(group => group.Cases)];
        Assert.True(cases.Length >= 400, $"{cases.Length} cases");
        Assert.All(new[] { 4, 6 }, family => Assert.True(cases.Count(entry => entry.Family == family) >= 200, $"family {family}"));
    }

    [Fact]
    public void Cases_EachNameTheirDocumentAndSection()
    {
        Assert.All(ConformanceGroups.All.SelectMany(group => group.Cases), entry => Assert.Matches(Source(), entry.Source));
        Assert.All(ConformanceGroups.All.SelectMany(group => group.Cases).Where(entry => entry.Linux is not null), entry => Assert.NotEqual("", entry.Linux));
    }

    [Fact]
    public void Names_AreUnique()
    {
        Assert.Equal(ConformanceGroups.All.Count, ConformanceGroups.All.Select(group => group.Name).Distinct().Count());
        Assert.All(ConformanceGroups.All, group => Assert.Equal(group.Cases.Count, group.Cases.Select(entry => (entry.Rule, entry.Family)).Distinct().Count()));
    }

    /// <summary>Every group has a theory, so that no case is left out.</summary>
    [Fact]
    public void Groups_AllHaveTheirTheory()
    {
        IEnumerable<string> played = typeof(ConformanceTests).GetMethods().SelectMany(method => method.GetCustomAttributes(typeof(MemberDataAttribute), false))
            .Select(data => (string)((MemberDataAttribute)data).Parameters[0]);
        Assert.Equal(ConformanceGroups.All.Select(group => group.Name).Order(), played.Order());
    }

    // RFC 768 is a single section; of RFC 792 and RFC 894 the sections have no numbers.
    [GeneratedRegex(@"^(RFC (768|792|894|950)|RFC [0-9]{3,4} [0-9]+(\.[0-9]+)*|draft-[a-z-]+ [0-9]+(\.[0-9]+)*)$")]
    private static partial Regex Source();
}
