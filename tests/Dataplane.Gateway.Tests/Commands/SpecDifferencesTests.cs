using Dataplane.Configuration;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Hosting.Configuration;
using Dataplane.Tests.Configuration;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Gateway.Tests.Commands;

public class SpecDifferencesTests
{
    private static readonly DataplaneSpec s_before = Parse(TestGateway.Yaml);

    [Theory]
    [InlineData("weight: 2 }, { address: 10.1.0.12, port: 8080", "weight: 5 }, { address: 10.1.0.12, port: 8080",
        "~ service web backend 10.1.0.11:8080 weight 2 -> 10.1.0.11:8080 weight 5")]
    [InlineData("      backends: [ { address: 10.1.0.11, port: 8080, weight: 2 }, { address: 10.1.0.12, port: 8080 } ] }",
        "      backends: [ { address: 10.1.0.11, port: 8080, weight: 2 } ] }", "- service web backend 10.1.0.12:8080 weight 1")]
    [InlineData("default: allow", "default: deny", "~ filter default: allow -> deny")]
    [InlineData("reject: prohibited", "reject: blackhole",
        "~ route { to: 203.0.113.128/25, reject: prohibited } -> { to: 203.0.113.128/25, reject: blackhole }")]
    [InlineData("    - { name: no-ssh, action: deny, protocol: tcp, to_port: 22 }\n", "",
        "- filter rule { name: no-ssh, action: deny, protocol: tcp, to_port: 22 }")]
    [InlineData("    - { name: no-ssh, action: deny, protocol: tcp, to_port: 22 }\n    - { name: no-guest, action: deny, from: 198.51.100.66/32 }\n",
        "    - { name: no-guest, action: deny, from: 198.51.100.66/32 }\n    - { name: no-ssh, action: deny, protocol: tcp, to_port: 22 }\n",
        "~ filter rules: order changed")]
    [InlineData("services:\n", "workers: { seed: 9 }\nservices:\n",
        "~ workers: table sizes, spin, seed and cpu are read at the start only; restart to change them")]
    [InlineData("  - { port: lan, address: 10.1.0.12, mac: \"02:00:00:00:00:0c\" }\n", "",
        "- neighbour { port: lan, address: 10.1.0.12, mac: 02:00:00:00:00:0c }")]
    public void Lines_OneChange_IsOneLine(string from, string to, string line)
    {
        string changed = TestGateway.Yaml.Replace(from, to, StringComparison.Ordinal);
        Assert.NotEqual(TestGateway.Yaml, changed);
        Assert.Equal([line], SpecDifferences.Lines(s_before, Parse(changed)));
    }

    [Fact]
    public void Lines_ServiceAdded_NamesItAndItsBackends()
    {
        DataplaneSpec after = Parse(TestGateway.Yaml
            + "  - { name: new6, address: \"2001:db8:80::81\", port: 443, protocol: tcp,\n"
            + "      backends: [ { address: \"2001:db8:2::12\", port: 8443, weight: 3 } ] }\n");
        Assert.Equal(
        [
            "+ service { name: new6, address: 2001:db8:80::81, port: 443, protocol: tcp }",
            "+ service new6 backend [2001:db8:2::12]:8443 weight 3",
        ], SpecDifferences.Lines(s_before, after));
    }

    [Fact]
    public void Lines_AnySpecs_AreNoneForTheSameAndTurnedRoundTheOtherWay() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        var random = new RandomSpecs(seed, isWild: false);
        DataplaneSpec one = Next(random), other = Next(random);
        Assert.Empty(SpecDifferences.Lines(one, one));
        IReadOnlyList<string> there = SpecDifferences.Lines(one, other), back = SpecDifferences.Lines(other, one);
        Assert.Equal(there.Count(line => line[0] == '~'), back.Count(line => line[0] == '~'));
        Assert.Equal(Without('+', there).Order(), Without('-', back.Where(line => !line.Contains(" backend ", StringComparison.Ordinal))).Order());
        Assert.All(there, line => Assert.Matches("^[-+~] [a-z]", line));

        static IEnumerable<string> Without(char sign, IEnumerable<string> lines) =>
            lines.Where(line => line[0] == sign && !line.Contains(" backend ", StringComparison.Ordinal)).Select(line => line[2..]);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));

    [Fact]
    public void Lines_AnyOtherSection_IsNeverSilent() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        var random = new RandomSpecs(seed, isWild: false);
        DataplaneSpec one = Next(random), drawn = Next(random);
        DataplaneSpec[] others =
        [
            one with { Ports = drawn.Ports }, one with { Interfaces = drawn.Interfaces }, one with { Neighbours = drawn.Neighbours },
            one with { Routes = drawn.Routes }, one with { Filter = drawn.Filter }, one with { Services = drawn.Services },
            one with { Workers = drawn.Workers },
        ];
        Assert.All(others, other =>
        {
            bool isSame = Written(one).SequenceEqual(Written(other));
            Assert.True(isSame == (SpecDifferences.Lines(one, other).Count == 0), $"{SpecWriter.ToYaml(one)}\n---\n{SpecWriter.ToYaml(other)}");
        });

        static IEnumerable<string> Written(DataplaneSpec spec) => SpecWriter.ToYaml(spec).Split('\n').Order(StringComparer.Ordinal);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    /// <summary>Services of the same name are refused when a configuration is read.</summary>
    private static DataplaneSpec Next(RandomSpecs random)
    {
        DataplaneSpec spec = random.Next();
        return spec with { Services = [.. spec.Services.DistinctBy(service => service.Name)] };
    }

    private static DataplaneSpec Parse(string yaml) => ConfigurationFile.Parse(yaml, "gateway.yaml").GetSpec();
}
