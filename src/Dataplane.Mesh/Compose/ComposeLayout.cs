using System.Globalization;

namespace Dataplane.Mesh.Compose;

/// <summary>What those who bring projects up and those who look for them must know alike: how projects are called, where they are kept, and whether a process is still the same.</summary>
internal static class ComposeLayout
{
    /// <summary>Where projects are kept while they are up: one directory each.</summary>
    public const string DefaultProjects = "/run/dataplane/compose";

    /// <summary>The file of a project's directory that says what runs, and where.</summary>
    public const string StateFile = "project.json";

    private const int MaxProjectLength = 16, MaxNetworkLength = 32;

    /// <summary>Lower case, digits, - and _, beginning with a letter or digit, as compose makes it of a directory's name.</summary>
    public static string ProjectName(string text)
    {
        string name = new string([.. text.ToLowerInvariant().Where(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_')]).TrimStart('-', '_');
        return name.Length == 0 ? "default" : name[..Math.Min(name.Length, MaxProjectLength)];
    }

    /// <summary>What a network of a project is called when its file does not say.</summary>
    public static string NetworkName(string project, string key)
    {
        string name = $"{project}_{key}";
        return name.Length <= MaxNetworkLength ? name : name[..MaxNetworkLength];
    }

    /// <summary>When a process started (proc(5), field 22 of stat); null when it is not there or has ended and only waits to be noticed.</summary>
    public static long? StartTicks(int processId)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/stat"));
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] == "Z" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
