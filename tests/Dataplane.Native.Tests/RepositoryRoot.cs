namespace Dataplane.Native.Tests;

/// <summary>Finds the working tree that the tests were built from.</summary>
internal static class RepositoryRoot
{
    public static string Path { get; } = Find();

    public static string Combine(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(directory.FullName, "Dataplane.sln")))
                return directory.FullName;
        }

        throw new InvalidOperationException($"No Dataplane.sln above {AppContext.BaseDirectory}.");
    }
}
