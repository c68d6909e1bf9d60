using Dataplane.Hosting.Configuration;

namespace Dataplane.Hosting.Tests.Configuration;

/// <summary>BadConfigurations.txt: wrong files, and every error each must give, to the letter.</summary>
public class BadConfigurationTests
{
    private const string Dollar = "ports: { wan: { kind: memory }, lan: { kind: memory } }\ninterfaces: [ { port: wan, address: 198.18.0.1/24 }, "
        + "{ port: wan, address: 2001:db8:1::1/64 }, { port: lan, address: 198.19.0.1/24 }, { port: lan, address: 2001:db8:2::1/64 }, "
        + "{ port: lan, vlan: 5, address: 198.20.0.1/24 } ]";

    private static readonly Dictionary<string, (string Text, string[] Errors)> s_cases = ReadCases();

    public static TheoryData<string> Titles => [.. s_cases.Keys];

    [Theory]
    [MemberData(nameof(Titles))]
    public void Parse_BadFile_GivesEveryErrorWithItsPlace(string title)
    {
        (string text, string[] errors) = s_cases[title];
        LoadResult result = ConfigurationFile.Parse(text, "gateway.yaml");
        Assert.Null(result.Spec);
        Assert.Equal(errors, result.Errors.Select(error => error.ToString()));
    }

    [Fact]
    public void Parse_TheLinesOfTheDollar_AreGood() => Assert.Empty(ConfigurationFile.Parse(Dollar, "gateway.yaml").Errors);

    [Fact]
    public void Cases_OfTheFile_AreMany() => Assert.True(s_cases.Count >= 150, $"{s_cases.Count} cases were found");

    private static Dictionary<string, (string Text, string[] Errors)> ReadCases()
    {
        var cases = new Dictionary<string, (string Text, string[] Errors)>();
        foreach (string block in Embedded.Read("BadConfigurations.txt").Split("\n### ").Skip(1))
        {
            string[] lines = block.TrimEnd('\n').Split('\n');
            string[] errors = [.. lines.Where(line => line.StartsWith("=> ", StringComparison.Ordinal)).Select(line => $"gateway.yaml:{line[3..]}")];
            string text = string.Join('\n', lines[1..^errors.Length]) + "\n";
            cases.Add(lines[0], (text.StartsWith("$\n", StringComparison.Ordinal) ? Dollar + text[1..] : text, errors));
        }

        return cases;
    }
}
