using System.Text;
using System.Text.RegularExpressions;

namespace Dataplane.Native.Tests;

/// <summary>Each file of Dataplane.Native says which system calls it makes; docs/SYSCALLS.md is the sum. Set DATAPLANE_WRITE_DOCS=1 to write it anew.</summary>
public partial class SyscallTests
{
    // Where the C library's function and the kernel's call have different names.
    private static readonly Dictionary<string, string> s_kernelNames = new()
    {
        ["eventfd"] = "eventfd2",
        ["open"] = "openat",
        ["getrlimit"] = "prlimit64",
    };

    private static readonly string s_folder = RepositoryRoot.Combine("src", "Dataplane.Native");

    [Fact]
    public void Files_EachOne_DeclaresTheCallsItMakes()
    {
        Dictionary<string, string> imports = Imports();
        Assert.NotEmpty(imports);
        foreach ((string file, string text) in Sources())
        {
            SortedSet<string> made = [.. CallPattern().Matches(text).Select(m => imports[m.Groups[1].Value])];
            string declared = string.Join(' ', Declared(text));
            Assert.True(made.SetEquals(Declared(text)), $"{file} makes [{string.Join(' ', made)}] but its '// syscalls:' line says [{declared}].");
        }
    }

    [Fact]
    public void SyscallsPage_AgainstTheFiles_IsCurrent()
    {
        string path = RepositoryRoot.Combine("docs", "SYSCALLS.md");
        string page = Page();
        if (Environment.GetEnvironmentVariable("DATAPLANE_WRITE_DOCS") == "1")
            File.WriteAllText(path, page);
        Assert.Equal(page, File.ReadAllText(path));
    }

    private static string Page()
    {
        var filesByCall = new SortedDictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        foreach ((string file, string text) in Sources())
        {
            foreach (string call in Declared(text))
            {
                if (!filesByCall.TryGetValue(call, out SortedSet<string>? files))
                    filesByCall[call] = files = new SortedSet<string>(StringComparer.Ordinal);
                files.Add(file);
            }
        }

        var page = new StringBuilder("""
            # System calls that Dataplane makes

            For a seccomp profile, add these to what the .NET runtime itself needs. Collected from the `// syscalls:` line
            of each file of `src/Dataplane.Native` and checked by a test, so the list is current.

            | call | made by |
            |---|---|

            """);
        foreach ((string call, SortedSet<string> files) in filesByCall)
            page.Append($"| `{call}` | {string.Join(", ", files)} |\n");
        return page.ToString();
    }

    private static IEnumerable<(string File, string Text)> Sources() => Directory.EnumerateFiles(s_folder, "*.cs", SearchOption.AllDirectories)
        .Select(path => (File: Path.GetRelativePath(s_folder, path), Text: File.ReadAllText(path)))
        .Where(source => !source.File.StartsWith("Abi/", StringComparison.Ordinal));

    private static SortedSet<string> Declared(string text) =>
        [.. DeclarationPattern().Match(text).Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    private static Dictionary<string, string> Imports() => Directory.EnumerateFiles(Path.Combine(s_folder, "Abi"), "Libc*.cs")
        .SelectMany(path => ImportPattern().Matches(File.ReadAllText(path)))
        .ToDictionary(m => m.Groups[2].Value, m => KernelNameOf(m.Groups[1].Value, m.Groups[2].Value));

    /// <summary>What has no function of its own in the C library is called by number, and named as the kernel names it.</summary>
    private static string KernelNameOf(string entryPoint, string method) =>
        entryPoint == "syscall" ? method.ToLowerInvariant() : s_kernelNames.GetValueOrDefault(entryPoint, entryPoint);

    [GeneratedRegex(@"\bLibc\.(\w+)\(")]
    private static partial Regex CallPattern();

    [GeneratedRegex(@"^// syscalls: (.+)$", RegexOptions.Multiline)]
    private static partial Regex DeclarationPattern();

    [GeneratedRegex("""EntryPoint = "(\w+)".*\n\s*internal static partial \w+ (\w+)\(""")]
    private static partial Regex ImportPattern();
}
