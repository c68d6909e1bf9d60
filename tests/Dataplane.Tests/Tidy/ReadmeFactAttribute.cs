namespace Dataplane.Tests.Tidy;

/// <summary>A test of the table of rooms; skipped with that reason as long as there is none.</summary>
public sealed class ReadmeFactAttribute : FactAttribute
{
    internal const string Readme = "src/Dataplane/README.md";

    public ReadmeFactAttribute()
    {
        if (!File.Exists(Path.Combine(SourceTree.Root, Readme)))
        {
            Skip = $"There is no {Readme} yet.";
        }
    }
}
