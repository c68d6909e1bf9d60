using System.Text.Json;

namespace Dataplane.Tests;

/// <summary>Cases of public test suites, kept in a folder beside the working tree and not in it.</summary>
internal static class SharedCases
{
    private const string Folder = "shared/cases";

    /// <summary>The folder, or null when this machine does not have it.</summary>
    public static string? Root { get; } = Find();

    /// <summary>Reads one of the files.</summary>
    public static JsonDocument Read(string file) => JsonDocument.Parse(File.ReadAllText(Path.Combine(Root!, file)));

    private static string? Find()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Dataplane.sln")))
        {
            directory = directory.Parent;
        }

        string? cases = directory?.Parent is null ? null : Path.Combine(directory.Parent.FullName, Folder);
        return Directory.Exists(cases) ? cases : null;
    }
}

/// <summary>A test that needs <see cref="SharedCases"/>; skipped with that reason where they are absent.</summary>
public sealed class SharedCasesFactAttribute : FactAttribute
{
    public SharedCasesFactAttribute(string file)
    {
        if (SharedCases.Root is null || !File.Exists(Path.Combine(SharedCases.Root, file)))
        {
            Skip = $"Needs {file} in ../shared/cases beside the working tree.";
        }
    }
}
