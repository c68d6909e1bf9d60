using System.Text.RegularExpressions;

namespace Dataplane.Tests.Tidy;

/// <summary>The rules of the house that no compiler knows.</summary>
public sealed partial class TidyTests
{
    private const int MaxFileLines = 500, MaxMethodLines = 70;

    /// <summary>Reinterpreting memory without checks, outside the project for unsafe code: only where a measurement asked for it.</summary>
    private static readonly string[] s_uncheckedAllowed = ["src/Dataplane/Packets/WireBytes.cs", "src/Dataplane/Flows/FlowHash.cs"];

    [Fact]
    public void Files_Length_StaysUnderTheLimit() => SourceTree.AssertNone($"At most {MaxFileLines} lines",
        SourceTree.Files.Where(file => file.Lines.Length > MaxFileLines).Select(file => $"{file.Path}: {file.Lines.Length}"));

    [Fact]
    public void Methods_Length_StaysUnderTheLimit() => SourceTree.AssertNone($"At most {MaxMethodLines} lines",
        SourceTree.Files.SelectMany(file => Methods(file).Where(method => method.Lines > MaxMethodLines)
            .Select(method => $"{file.Path}({method.Line}): {method.Lines} lines: {method.Signature}")));

    [Fact]
    public void UnsafeCode_OutsideItsProject_IsAbsent() => SourceTree.AssertNone("Checked code only",
        SourceTree.Below("src")
            .Where(file => !file.Path.StartsWith("src/Dataplane.Native/", StringComparison.Ordinal) && !s_uncheckedAllowed.Contains(file.Path))
            .SelectMany(file => Matches(file, Unchecked())));

    [Fact]
    public void UnsafeBlocks_AreAllowedInOneProjectOnly()
    {
        string[] projects = [.. Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Where(path => File.ReadAllText(path).Contains("<AllowUnsafeBlocks>true", StringComparison.OrdinalIgnoreCase))
                .Select(path => Path.GetFileName(path))];
        Assert.Equal(["Dataplane.Native.csproj"], projects);
        Assert.DoesNotContain("<AllowUnsafeBlocks>true", File.ReadAllText(Path.Combine(SourceTree.Root, "Directory.Build.props")),
            StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void HotPath_ThrowsNothingAndUsesNoLinq()
    {
        SourceFile[] files = [.. SourceTree.Below("src/Dataplane").Where(file => file.Name.EndsWith("Stage.cs", StringComparison.Ordinal)
            || file.Name.StartsWith("PacketParser", StringComparison.Ordinal))];
        Assert.True(files.Length >= 8, $"only {files.Length} stages found");
        SourceTree.AssertNone("No throw and no LINQ on the packet's way",
            files.SelectMany(file => Matches(new SourceFile(file.Path, WithoutExplain(file)), ThrowOrLinq())));
    }

    [Fact]
    public void Comments_LeaveNothingForLater() => SourceTree.AssertNone("Finish it or file an issue",
        SourceTree.Files.SelectMany(file => file.Lines.Select((line, i) => (line, i)).Where(entry => Unfinished().IsMatch(entry.line))
            .Select(entry => $"{file.Path}({entry.i + 1}): {entry.line.Trim()}")));

    [Fact]
    public void Namespaces_AreTheFolders() => SourceTree.AssertNone("The namespace is the folder, but for extensions of another's types",
        SourceTree.Below("src").Concat(SourceTree.Below("tests")).Select(file => (file.Path, Match: Namespace().Match(file.Text)))
            .Where(entry => entry.Match.Success && !entry.Match.Groups[1].Value.StartsWith("Microsoft.", StringComparison.Ordinal))
            .Where(entry => entry.Match.Groups[1].Value != Path.GetDirectoryName(entry.Path)!.Replace('\\',
                '/')[(entry.Path.IndexOf('/', StringComparison.Ordinal) + 1)..].Replace('/', '.'))
            .Select(entry => $"{entry.Path}: {entry.Match.Groups[1].Value}"));

    [Fact]
    public void PublicTypes_HaveAFileEach() => SourceTree.AssertNone("One public type per file, and the file has its name",
        SourceTree.Below("src").Select(file => (file, Types: PublicType().Matches(file.Code).Select(match => match.Groups[1].Value).Distinct().ToArray()))
            .Where(entry => entry.Types.Length > 1 || (entry.Types.Length == 1 && entry.file.Name.Split('.', '{')[0] != entry.Types[0]))
            .Select(entry => $"{entry.file.Path}: {string.Join(", ", entry.Types)}"));

    [Fact]
    public void Stages_SayWhatTheyTakeGiveDropKeepAndCost()
    {
        SourceFile[] stages = [.. SourceTree.Below("src/Dataplane")
            .Where(file => file.Name.EndsWith("Stage.cs", StringComparison.Ordinal) && file.Name != "IStage.cs")];
        Assert.True(stages.Length >= 7, $"only {stages.Length} stages found");
        SourceTree.AssertNone("The summary of a stage has all five parts", stages.SelectMany(file =>
            new[] { "Input:", "Output:", "Drops:", "State:", "Cost:" }.Where(part => !file.Text.Contains(part, StringComparison.Ordinal))
                .Select(part => $"{file.Path}: {part}")));
    }

    [ReadmeFact]
    public void RoomTable_ListsEveryFolder()
    {
        string readme = File.ReadAllText(Path.Combine(SourceTree.Root, ReadmeFactAttribute.Readme));
        SourceTree.AssertNone("Every room stands in the table", Directory.EnumerateDirectories(Path.Combine(SourceTree.Root, "src/Dataplane"))
            .Select(path => Path.GetFileName(path))
                .Where(room => room is not ("obj" or "bin") && !Regex.IsMatch(readme, $@"^\|[^|\n]*\b{room}\b", RegexOptions.Multiline)));
    }

    /// <summary>The program in the README is one that is compiled.</summary>
    [Fact]
    public void Readme_Program_IsThatOfTheSample()
    {
        Match program = Regex.Match(File.ReadAllText(Path.Combine(SourceTree.Root, "README.md")), @"```csharp\n(.*?)```", RegexOptions.Singleline);
        Assert.Equal(File.ReadAllText(Path.Combine(SourceTree.Root, "samples/Quickstart/Program.cs")), program.Groups[1].Value);
    }

    /// <summary>The scanner itself finds what it is to find.</summary>
    [Fact]
    public void Scanner_KnownText_IsJudgedRight()
    {
        string body = string.Concat(Enumerable.Repeat("        x++;\n", 71)), initializer = "    T P => X(new T\n    {\n    });\n";
        var file = new SourceFile("src/X.cs", $"class X\n{{\n    void M()\n    {{\n{body}    }}\n\n{initializer}    int P {'{'} get; {'}'}\n}}\n");
        (string Signature, int Line, int Lines) method = Assert.Single(Methods(file));
        Assert.Equal(("void M()", 3, 73), (method.Signature, method.Line, method.Lines));
        Assert.Single(Matches(new SourceFile("src/X.cs", "// throw\nvar s = \"throw\";\nthrow new X(); /* throw */\n"), ThrowOrLinq()));
        Assert.Single(Matches(new SourceFile("src/X.cs", "x.Select(y);\nselection.SelectMany2();\n"), ThrowOrLinq()));
        Assert.Single(Matches(new SourceFile("src/X.cs", "Unsafe.Add(ref x, 1);\ntoken.UnsafeRegister();\n"), Unchecked()));
    }

    private static IEnumerable<string> Matches(SourceFile file, Regex pattern)
    {
        string[] lines = file.Code.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (pattern.IsMatch(lines[i]))
            {
                yield return $"{file.Path}({i + 1}): {lines[i].Trim()}";
            }
        }
    }

    /// <summary>Members with a body: a brace alone on its line, as deep as the line of its signature, up to the brace that closes it.</summary>
    private static IEnumerable<(string Signature, int Line, int Lines)> Methods(SourceFile file)
    {
        string[] lines = file.Code.Split('\n');
        for (int open = 1; open < lines.Length; open++)
        {
            string indent = lines[open].TrimEnd() is "    {" or "        {" ? lines[open][..lines[open].IndexOf('{', StringComparison.Ordinal)] : "";
            int signature = open - 1;
            while (signature > 0 && indent.Length > 0
                && (lines[signature].Length <= indent.Length || lines[signature][indent.Length] is ' ' || lines[signature].TrimStart()
                    .StartsWith("where", StringComparison.Ordinal)))
            {
                signature--;
            }

            if (indent.Length == 0 || !Signature().IsMatch(lines[signature]) || NoMethod().IsMatch(lines[signature]))
            {
                continue;
            }

            int close = Array.FindIndex(lines, open, line => line.TrimEnd() == indent + "}" || line.TrimEnd() == indent + "};");
            yield return (lines[signature].Trim(), signature + 1, close - open + 1);
        }
    }

    /// <summary>Explaining is for people: it runs only when tracing is on.</summary>
    private static string WithoutExplain(SourceFile file)
    {
        string code = file.Code;
        for (int at = code.IndexOf("void Explain(", StringComparison.Ordinal); at >= 0; at = code.IndexOf("void Explain(", StringComparison.Ordinal))
        {
            int end = code.IndexOf("\n    }", at, StringComparison.Ordinal);
            code = string.Concat(code.AsSpan(0, at), new string('\n', code[at..end].Count(letter => letter == '\n')), code.AsSpan(end));
        }

        return code;
    }

    [GeneratedRegex(@"\bunsafe\b|\bfixed\s*\(|\bstackalloc\b[^;]*\*|"
        + @"\bUnsafe\s*\.|\bMemoryMarshal\s*\.\s*(?:GetReference|GetArrayDataReference|CreateSpan|CreateReadOnlySpan)\b")]
    private static partial Regex Unchecked();

    [GeneratedRegex(@"\bthrow\b|"
        + @"(?<!\b(?:Math|route))\.(?:Select|SelectMany|Where|Any|All|First|FirstOrDefault|Last|Single|Sum|Max|Min|"
        + @"OrderBy|GroupBy|ToArray|ToList|Aggregate|Zip|Skip|Take)\s*\(")]
    private static partial Regex ThrowOrLinq();

    [GeneratedRegex(@"\b(?:TO" + "DO|FIX" + "ME|HA" + @"CK)\b")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(
        @"^public (?:static |sealed |abstract |readonly |partial |ref |unsafe )*"
            + @"(?:class|struct|record struct|record class|record|enum|interface|delegate \S+) (\w+)",
        RegexOptions.Multiline)]
    private static partial Regex PublicType();

    [GeneratedRegex(@"\(.*[),(]\s*$")]
    private static partial Regex Signature();

    [GeneratedRegex(@"\b(?:class|struct|record|enum|interface|namespace)\b|\s=\s|=>|"
        + @"^\s*(?:if|for|foreach|while|switch|using|lock|else|do|fixed|catch|try|return|get|set|await|case|new|var)\b")]
    private static partial Regex NoMethod();
}
