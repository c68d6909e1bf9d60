namespace Dataplane.SystemTests.Support;

/// <summary>Files of one test, removed with it.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpsys");

    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Writes a file, which may be a program.</summary>
    /// <returns>Its path.</returns>
    public string Write(string name, string text, bool isProgram = false)
    {
        File.WriteAllText(PathOf(name), text + "\n");
        if (isProgram)
        {
            File.SetUnixFileMode(PathOf(name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        return PathOf(name);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
