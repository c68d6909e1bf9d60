using Dataplane.Native;

namespace Dataplane.Tests.Tidy;

/// <summary>What users can call, as text that a change of it must change too.</summary>
public sealed class PublicApiTests
{
    private const string Approved = "tests/Dataplane.Tests/PublicApi.approved.txt";

    [ApprovedFact(Approved)]
    public void PublicApi_IsTheApprovedOne()
    {
        string path = Path.Combine(SourceTree.Root, Approved);
        string[] now = [.. PublicApi.Describe(typeof(DataplaneEngine).Assembly), "", .. PublicApi.Describe(typeof(Capabilities).Assembly)];
        if (ApprovedFactAttribute.IsApproving)
        {
            File.WriteAllText(path, string.Join('\n', now) + "\n");
        }

        string[] before = File.ReadAllText(path).TrimEnd('\n').Split('\n');
        string[] gone = [.. before.Except(now).Select(line => "- " + line)], added = [.. now.Except(before).Select(line => "+ " + line)];
        Assert.True(before.SequenceEqual(now),
            $"The public API differs from {Approved}. If that is meant, run the test with {ApprovedFactAttribute.Variable}=1 "
            + $"and commit the file:\n{string.Join('\n', [.. gone, .. added])}");
    }

    [Fact]
    public void Describe_KnownType_ShowsWhatUsersSee()
    {
        string[] lines = [.. PublicApi.Describe(typeof(DataplaneEngine).Assembly)];
        Assert.Contains("class Dataplane.DataplaneEngine : System.IAsyncDisposable", lines);
        Assert.Contains("  int RunOnce()", lines);
        Assert.DoesNotContain(lines, line => line.Contains("Worker Worker", StringComparison.Ordinal));
    }
}
