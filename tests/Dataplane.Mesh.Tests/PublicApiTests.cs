using Dataplane.Tests.Tidy;
using Microsoft.Extensions.DependencyInjection;

namespace Dataplane.Mesh.Tests;

/// <summary>What users of the mesh and of the host can call, as text that a change of it must change too.</summary>
public sealed class PublicApiTests
{
    private const string Approved = "tests/Dataplane.Mesh.Tests/PublicApi.approved.txt";

    [ApprovedFact(Approved)]
    public void PublicApi_IsTheApprovedOne()
    {
        string path = Path.Combine(SourceTree.Root, Approved);
        string[] now = [.. PublicApi.Describe(typeof(MeshRuntime).Assembly), "", .. PublicApi.Describe(typeof(DataplaneServiceCollectionExtensions).Assembly)];
        if (ApprovedFactAttribute.IsApproving)
        {
            File.WriteAllText(path, string.Join('\n', now) + "\n");
        }

        string[] before = File.ReadAllLines(path);
        Assert.True(before.SequenceEqual(now), $"The public API differs from {Approved}. If that is meant, run the test with {ApprovedFactAttribute.Variable}=1 and commit the file:\n"
            + string.Join('\n', [.. before.Except(now).Select(line => "- " + line), .. now.Except(before).Select(line => "+ " + line)]));
    }
}
