using Dataplane.Mesh.Identity;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Mesh.Tests.Identity;

/// <summary>Names of workloads, by the SPIFFE-ID specification.</summary>
public sealed class SpiffeTests
{
    [Theory]
    [InlineData("spiffe://example.org", "example.org", "", "")]
    [InlineData("spiffe://example.org/ns/shop/sa/web", "example.org", "/ns/shop/sa/web", "shop")]
    [InlineData("spiffe://a-b_c.1/Path/With.Dots/x", "a-b_c.1", "/Path/With.Dots/x", "")]
    [InlineData("spiffe://example.org/ns/shop/sa/web/more", "example.org", "/ns/shop/sa/web/more", "")]
    [InlineData("spiffe://example.org/...", "example.org", "/...", "")]
    public void Parse_Names_AreTakenApart(string text, string domain, string path, string inNamespace)
    {
        SpiffeId id = SpiffeId.Parse(text);
        Assert.Equal((domain, path, inNamespace, text), (id.TrustDomain, id.Path, id.Namespace, id.ToString()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("https://example.org/x")]
    [InlineData("SPIFFE://example.org/x")]
    [InlineData("spiffe://")]
    [InlineData("spiffe:///x")]
    [InlineData("spiffe://Example.org/x")]
    [InlineData("spiffe://example.org:8080/x")]
    [InlineData("spiffe://user@example.org/x")]
    [InlineData("spiffe://example.org/")]
    [InlineData("spiffe://example.org/x/")]
    [InlineData("spiffe://example.org//x")]
    [InlineData("spiffe://example.org/./x")]
    [InlineData("spiffe://example.org/x/..")]
    [InlineData("spiffe://example.org/x?y")]
    [InlineData("spiffe://example.org/x#y")]
    [InlineData("spiffe://example.org/x%20y")]
    [InlineData("spiffe://example.org/ü")]
    public void Parse_OtherTexts_AreRefusedWithAReason(string? text)
    {
        Assert.False(SpiffeId.TryParse(text, out SpiffeId? id, out string problem));
        Assert.Null(id);
        Assert.NotEmpty(problem);
    }

    [Fact]
    public void Parse_LongestNames_AreTakenAndLongerOnesNot()
    {
        string longest = "spiffe://d/" + new string('x', SpiffeId.MaxLengthBytes - 11);
        Assert.True(SpiffeId.TryParse(longest, out _));
        Assert.False(SpiffeId.TryParse(longest + "x", out _));
        Assert.True(SpiffeId.TryParse("spiffe://" + new string('d', 255), out _));
        Assert.False(SpiffeId.TryParse("spiffe://" + new string('d', 256), out _));
    }

    [Fact]
    public void Parse_AnyText_NeverThrowsAndKeepsTheText() => Prop.ForAll(ArbMap.Default.ArbFor<string>(), text =>
        !SpiffeId.TryParse("spiffe://" + text, out SpiffeId? id) || (id.Text == "spiffe://" + text && "spiffe://" + id.TrustDomain + id.Path == id.Text))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Theory]
    [InlineData("spiffe://example.org/ns/shop/sa/web", "spiffe://example.org/ns/shop/sa/web", true)]
    [InlineData("spiffe://example.org/ns/shop/sa/web", "spiffe://example.org/ns/shop/sa/web2", false)]
    [InlineData("spiffe://example.org/ns/shop/*", "spiffe://example.org/ns/shop/sa/web", true)]
    [InlineData("spiffe://example.org/ns/shop/*", "spiffe://example.org/ns/shopping/sa/web", false)]
    [InlineData("spiffe://example.org/ns/shop/*", "spiffe://example.org/ns/shop", false)]
    [InlineData("spiffe://example.org/ns/shop/*", "spiffe://example.com/ns/shop/sa/web", false)]
    [InlineData("spiffe://example.org", "spiffe://example.org/anything", true)]
    [InlineData("spiffe://example.org/*", "spiffe://example.org/anything", true)]
    [InlineData("spiffe://example.org", "spiffe://example.org.evil/anything", false)]
    public void Matches_ExactPrefixAndDomain(string pattern, string id, bool matches) =>
        Assert.Equal(matches, SpiffePattern.Parse(pattern).Matches(SpiffeId.Parse(id)));

    [Theory]
    [InlineData("spiffe://example.org/ns*")]
    [InlineData("spiffe://*/x")]
    [InlineData("*")]
    public void Pattern_StarElsewhere_IsRefused(string text)
    {
        Assert.False(SpiffePattern.TryParse(text, out _, out string problem));
        Assert.NotEmpty(problem);
    }
}
