namespace Dataplane.Tests.Tidy;

/// <summary>A source file: its path from the root of the repository and its text.</summary>
internal sealed record SourceFile(string Path, string Text)
{
    private string[]? _lines;
    private string? _code;

    /// <summary>The lines as they are.</summary>
    public string[] Lines => _lines ??= Text.Split('\n');

    /// <summary>The text without comments and contents of strings.</summary>
    public string Code => _code ??= SourceTree.CodeOf(Text);

    /// <summary>Its name without folders.</summary>
    public string Name => System.IO.Path.GetFileName(Path);
}
