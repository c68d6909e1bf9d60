namespace Dataplane.Hosting.Tests.Configuration;

/// <summary>Texts that are built into the test assembly.</summary>
internal static class Embedded
{
    public static string Read(string name)
    {
        using Stream stream = typeof(Embedded).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>The fenced blocks of one language in a Markdown text.</summary>
    public static IEnumerable<string> Blocks(string markdown, string language) =>
        markdown.Split($"```{language}\n").Skip(1).Select(part => part[..part.IndexOf("```", StringComparison.Ordinal)]);
}
