using System.Text.RegularExpressions;

namespace Dataplane.Tests.Tidy;

/// <summary>The files of the repository the tests were built from.</summary>
internal static partial class SourceTree
{
    private static readonly string[] s_folders = ["src", "tests", "bench", "samples"];

    /// <summary>The folder with the solution in it.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Source files by path from the root, with forward slashes; what builds have left is not among them.</summary>
    public static IReadOnlyList<SourceFile> Files { get; } = [.. s_folders.Where(folder => Directory.Exists(Path.Combine(Root, folder))).SelectMany(FilesOf)];

    /// <summary>Source files below a folder.</summary>
    public static IEnumerable<SourceFile> Below(string folder) => Files.Where(file => file.Path.StartsWith(folder + "/", StringComparison.Ordinal));

    /// <summary>Fails with all findings, one a line.</summary>
    public static void AssertNone(string rule, IEnumerable<string> findings)
    {
        string[] all = [.. findings];
        Assert.True(all.Length == 0, $"{rule}:\n{string.Join('\n', all)}");
    }

    /// <summary>Blanks comments and the contents of strings, so that only code is judged; lines stay where they are.</summary>
    public static string CodeOf(string text) =>
        CommentOrString().Replace(text, match => match.Value[0] == '/' ? new string('\n', match.Value.Count(letter => letter == '\n')) : "\"\"");

    private static IEnumerable<SourceFile> FilesOf(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Select(path => (Full: path, Path: Path.GetRelativePath(Root, path).Replace('\\', '/')))
            .Where(file => !file.Path.Contains("/obj/", StringComparison.Ordinal) && !file.Path.Contains("/bin/", StringComparison.Ordinal))
            .OrderBy(file => file.Path, StringComparer.Ordinal)
            .Select(file => new SourceFile(file.Path, File.ReadAllText(file.Full)));

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Dataplane.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName
            ?? throw new InvalidOperationException($"No Dataplane.sln above {AppContext.BaseDirectory}: the tests run from a build in the tree.");
    }

    [GeneratedRegex(
        "\"\"\".*?\"\"\"|@\"(?:[^\"]|\"\")*\"|\"(?:\\\\.|[^\"\\\\\n])*\"|'(?:\\\\.|[^'\\\\\n])'|//[^\n]*|/\\*.*?\\*/", RegexOptions.Singleline)]
    private static partial Regex CommentOrString();
}
