using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>Files that change, break, and go.</summary>
public sealed class ManifestSourceTests : IDisposable
{
    private const string Service = "kind: Service\nmetadata: { name: NAME }\nspec: { ports: [ { port: 80 } ] }\n";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpmesh");

    public void Dispose() => _folder.Delete(recursive: true);

    private string Write(string file, string text)
    {
        string path = Path.Combine(_folder.FullName, file);
        File.WriteAllText(path, text);
        return path;
    }

    private static string Named(string name) => Service.Replace("NAME", name, StringComparison.Ordinal);

    [Fact]
    public async Task Files_ChangeBreakAndGo_TheLastGoodStays()
    {
        Write("a.yaml", Named("one"));
        int changes = 0;
        await using var source = new ManifestSource([Path.Combine(_folder.FullName, "*.yaml")], TimeProvider.System);
        await source.StartAsync(() => Interlocked.Increment(ref changes), CancellationToken.None);
        Assert.Equal(("one", 1L, false), (Assert.Single(source.Snapshot.Services).Name, source.Snapshot.Revision, source.Status.IsStale));

        Write("b.yaml", Named("two"));
        await MeshFixture.UntilAsync(() => source.Snapshot.Services.Count == 2, "a file that is new");

        File.Delete(Path.Combine(_folder.FullName, "b.yaml"));
        Write("a.yaml", "kind: [");
        await MeshFixture.UntilAsync(() => source.Status.IsStale, "a file that is no YAML");
        Assert.Equal("one", Assert.Single(source.Snapshot.Services).Name);
        Assert.Contains("a.yaml:", source.Status.Problem, StringComparison.Ordinal);

        Write("a.yaml", Named("three"));
        await MeshFixture.UntilAsync(() => source.Snapshot.Services is [{ Name: "three" }], "a file that is mended");
        Assert.False(source.Status.IsStale);

        File.Delete(Path.Combine(_folder.FullName, "a.yaml"));
        await MeshFixture.UntilAsync(() => source.Snapshot.Services.Count == 0, "a true empty answer");
        Assert.False(source.Status.IsStale);
        Assert.InRange(Volatile.Read(ref changes), 4, 5);
    }

    [Fact]
    public void Look_OneOfTwoFilesBreaks_ItsServicesStayAndTheOtherGoesOn()
    {
        (string a, string b) = (Write("a.yaml", Named("one")), Write("b.yaml", Named("two")));
        var source = new ManifestSource([a, b], TimeProvider.System);
        source.Look();
        Write("a.yaml", "kind: [");
        Write("b.yaml", Named("three"));
        source.Look();
        Assert.Equal(["one", "three"], source.Snapshot.Services.Select(service => service.Name));
        Assert.True(source.Status.IsStale);

        Write("a.yaml", Named("four"));
        source.Look();
        Assert.Equal(["four", "three"], source.Snapshot.Services.Select(service => service.Name));
        Assert.False(source.Status.IsStale);
    }

    [Fact]
    public void Look_AFileWasAwayForAMoment_IsNotStaleForEver()
    {
        string path = Write("a.yaml", Named("one")), beside = Path.Combine(_folder.FullName, "beside");
        var source = new ManifestSource([path], TimeProvider.System);
        source.Look();
        File.Move(path, beside);
        source.Look();
        Assert.True(source.Status.IsStale);
        File.Move(beside, path);
        source.Look();
        Assert.False(source.Status.IsStale, source.Status.Problem);
        Assert.Single(source.Snapshot.Services);
    }

    [Fact]
    public void Look_AFileOfHundredsOfMegabytes_IsRefusedUnread()
    {
        string path = Write("a.yaml", Named("one"));
        var source = new ManifestSource([path], TimeProvider.System);
        source.Look();
        using (var huge = new FileStream(path, FileMode.Open))
        {
            huge.SetLength(1L << 40);
        }

        source.Look();
        Assert.Contains("1048576 MB are more than the 256 MB", source.Status.Problem, StringComparison.Ordinal);
        Assert.Single(source.Snapshot.Services);
    }

    [Fact]
    public void Look_AFileThatIsNotThere_IsSaid()
    {
        var source = new ManifestSource([Path.Combine(_folder.FullName, "missing.yaml")], TimeProvider.System);
        source.Look();
        Assert.Contains("does not exist", source.Status.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_APatternOfNoFile_IsSaidUntilThereIsOne()
    {
        await using var source = new ManifestSource([Path.Combine(_folder.FullName, "*.yaml")], TimeProvider.System);
        await source.StartAsync(() => { }, CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Contains("there is no such file yet", source.Status.Problem, StringComparison.Ordinal);
        Write("a.yaml", Named("one"));
        source.Look();
        Assert.False(source.Status.IsStale, source.Status.Problem);
    }

    [Theory]
    [InlineData("kind: Service\nmetadata: {}\n", "1:1: service without a good name")]
    [InlineData("kind: Service\nmetadata: { name: a }\nspec: { type: Magic }\n", "1:1: service a: type Magic")]
    [InlineData("kind: Service\nmetadata: { name: a }\nspec: { ports: [ { port: 99999 } ] }\n", "3:18: port \"99999\"")]
    [InlineData("kind: Service\nmetadata: { name: a }\nspec: { ports: [ { port: 1, protocol: SCTP } ] }\n", "3:18: protocol SCTP")]
    [InlineData("kind: Service\nmetadata: { name: a }\nspec: { clusterIP: 10.0.0.300 }\n", "1:1: \"10.0.0.300\" is not an address")]
    [InlineData("kind: EndpointSlice\nmetadata: { name: a }\n", "1:1: EndpointSlice without the label")]
    public void Read_Wrong_IsSaidWithItsPlace(string text, string problem) =>
        Assert.StartsWith("m.yaml:" + problem, Assert.Single(ManifestReader.Read(text, "m.yaml").Problems), StringComparison.Ordinal);

    [Fact]
    public void Read_AnyTruncation_NeverThrows()
    {
        string text = Named("a") + "---\nkind: EndpointSlice\nmetadata: { labels: { kubernetes.io/service-name: a } }\nendpoints: [ { addresses: [ 10.0.0.1 ], conditions: { ready: true } } ]\n";
        for (int length = 0; length < text.Length; length++)
        {
            ManifestReader.Read(text[..length], "m.yaml");
        }
    }
}
