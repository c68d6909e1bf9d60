using System.Text.RegularExpressions;

namespace Dataplane.Tests.Tidy;

/// <summary>docs/PORT-TROUBLE.md says which test shows each way to break a port: the table is only worth what those tests are.</summary>
public sealed partial class PortTroubleTests
{
    /// <summary>Ways that were asked for.</summary>
    private const int LeastWays = 24;

    [Fact]
    public void Table_EveryWay_NamesATestThatExists()
    {
        string[] rows = [.. File.ReadLines(Path.Combine(SourceTree.Root, "docs", "PORT-TROUBLE.md")).Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1)];
        Assert.True(rows.Length >= LeastWays, $"only {rows.Length} ways");
        SourceTree.AssertNone("A way to break a port has a test", rows.SelectMany(Missing));
    }

    private static IEnumerable<string> Missing(string row)
    {
        string last = row.TrimEnd().TrimEnd('|').Split('|')[^1].Trim();
        if (last == "the same")
            return [];

        // What stands beside the first is in the same class.
        string path = "";
        var missing = new List<string>();
        foreach (Match name in Quoted().Matches(last))
        {
            string[] parts = name.Groups[1].Value.Split('.');
            path = parts.Length == 1 && path.Length > 0 && parts[0].Contains('_', StringComparison.Ordinal) ? path : PathOf(parts[0]);
            SourceFile? file = SourceTree.Files.FirstOrDefault(one => one.Path == path);
            if (file is null || (parts[^1].Contains('_', StringComparison.Ordinal) && !file.Text.Contains($" {parts[^1]}(", StringComparison.Ordinal)))
                missing.Add($"{name.Groups[1].Value} ({path})");
        }

        return path.Length == 0 ? [$"no test: {row}"] : missing;
    }

    private static string PathOf(string name) =>
        name.Replace("P/", "tests/Dataplane.Tests/Ports/", StringComparison.Ordinal).Replace("S/", "tests/Dataplane.SystemTests/", StringComparison.Ordinal) + ".cs";

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();
}
