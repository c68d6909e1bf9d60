namespace Dataplane.SystemTests.Support;

/// <summary>Where the programs are that the tests use, and the one that they test.</summary>
internal static class Programs
{
    /// <summary>Programs of the system are in sbin, which is not on everybody's path.</summary>
    private static readonly string[] s_folders =
        [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries), "/usr/sbin", "/sbin"];

    /// <summary>The command that starts the program under test: the one built beside these tests, or the assembly that DATAPLANE_PROGRAM names.</summary>
    public static string[] Dataplane { get; } = [Environment.ProcessPath is { } host && Path.GetFileName(host) == "dotnet" ? host : "dotnet", Assembly()];

    public static string? Find(string program) => s_folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>Why a test that needs the programs cannot run, or null.</summary>
    public static string? WhyMissing(IEnumerable<string> programs)
    {
        string[] missing = [.. programs.Where(program => Find(program) is null)];
        return missing.Length == 0 ? null : $"needs {string.Join(", ", missing)}; .ci/run installs what the tests need";
    }

    private static string Assembly()
    {
        if (Environment.GetEnvironmentVariable("DATAPLANE_PROGRAM") is { Length: > 0 } given)
            return given;
        // artifacts/bin/PROJECT/CONFIGURATION/: the program lies beside, in the same configuration.
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        return Path.Combine(own.Parent!.Parent!.FullName, "Dataplane.Gateway", own.Name, "Dataplane.Gateway.dll");
    }
}
