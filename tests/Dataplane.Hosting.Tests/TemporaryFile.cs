namespace Dataplane.Hosting.Tests;

/// <summary>A file in a directory of its own, removed with it.</summary>
internal sealed class TemporaryFile : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataplane-test-");

    public TemporaryFile(string content)
    {
        Path = System.IO.Path.Combine(_folder.FullName, "gateway.yaml");
        File.WriteAllText(Path, content);
    }

    public string Path { get; }

    /// <summary>Writes the file in place, as simple editors do.</summary>
    public void Write(string content) => File.WriteAllText(Path, content);

    /// <summary>Puts a new file in its place, as careful editors do.</summary>
    public void Replace(string content)
    {
        string next = Path + "~";
        File.WriteAllText(next, content);
        File.Move(next, Path, overwrite: true);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
