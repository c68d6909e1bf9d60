using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh.Configuration;

namespace Dataplane.Mesh.Tests;

/// <summary>What several tests need.</summary>
internal static class MeshFixture
{
    /// <summary>The folder of the repository.</summary>
    public static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Dataplane.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("no Dataplane.sln above the tests");
        }

        return folder.FullName;
    }

    /// <summary>A mesh as it stands in a file, without errors.</summary>
    public static MeshSpec Mesh(string yaml)
    {
        (MeshSpec mesh, IReadOnlyList<ConfigurationError> errors) = MeshReader.Read(Node(yaml));
        Assert.Empty(errors);
        return mesh;
    }

    /// <summary>What stands behind the key mesh.</summary>
    public static ConfigNode Node(string yaml)
    {
        ConfigNode? mesh = null;
        ConfigurationFile.Parse(yaml, "mesh.yaml", spec =>
        {
            mesh = spec.Mesh;
            return spec with { Mesh = null };
        });
        return mesh ?? throw new InvalidOperationException("no mesh in " + yaml);
    }

    /// <summary>Waits until something is so; how long that takes is never asserted.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        for (int tries = 0; !condition(); tries++)
        {
            Assert.True(tries < 3000, $"waited in vain: {what}");
            await Task.Delay(10);
        }
    }
}
