using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Tests.Configuration;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Hosting.Tests.Configuration;

public sealed class FileReaderTests
{
    private const string Basis = """
        ports:
          wan: { kind: memory }
        interfaces:
          - { port: wan, address: 198.18.0.1/24 }
        routes:
          - { to: 10.0.0.0/8, via: 198.18.0.2 }
          - { to: 11.0.0.0/8, via: 198.18.0.3 }
          - to: 12.0.0.0/8 # the third
            via:
              - 198.18.0.2

          # Behind a remark.
              - 198.18.0.3
        services:
        - { name: web, address: 203.0.113.1, port: 80, protocol: tcp, backends: [ { address: 198.18.0.2, port: 80 } ] }
        - name: dns
          address: 203.0.113.2
          port: 53
          protocol: udp
          backends:
          - { address: 198.18.0.2, port: 53 }
        filter:
          rules:
            - { name: "a-b", action: deny, from: 10.1.0.0/16 }
            - { action: deny, from: 10.2.0.0/16,
                to: 10.3.0.0/16 }
            - { action: deny, from: 10.2.0.0/16 }
            - { action: deny, from: 10.2.0.0/16 }

        """;

    /// <summary>Lines that are put between others or in their place: most of them change the meaning of those around them.</summary>
    private static readonly string[] s_lines =
        ["routes:", "services:", "filter:", "  rules:", "    - { action: deny, from: 10.2.0.0/16 }", "  - { to: 10.0.0.0/8, via: 198.18.0.2 }", "  - {", "  - \"", "\"", "}", "]", "[", "  - [",
            "# remark", "", "   ", "mesh: |", "  text", "  - text", "---", "...", "      via: 198.18.0.2", "- x", "  to: 10.3.0.0/16 }", "\t", "neighbours:", "  - |", "  - >-", "pin:", "workers:", "  pin:"];

    [Fact]
    public void Load_AnyTextAfterAnyOther_SaysWhatReadingTheWholeSays()
    {
        int reused = 0;
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => reused += ReadInTurn(seed)).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

        // Good texts that differ from those before and share something with them, or nothing was tried.
        Assert.InRange(reused, 50, int.MaxValue);
    }

    /// <summary>How many texts were good, changed, and read with the help of the one before.</summary>
    private static int ReadInTurn(int seed)
    {
        int reused = 0;
        var random = new Random(seed);
        using var file = new TemporaryFile(Basis);
        var reader = new FileReader(file.Path);
        string good = random.Next(2) == 0 ? Basis : SpecWriter.ToYaml(new RandomSpecs(seed, isWild: false).Next());
        List<string> lines = [.. good.Split('\n')];
        for (int step = 0; step < 12; step++)
        {
            File.WriteAllText(file.Path, string.Join('\n', lines));
            LoadResult expected = ConfigurationFile.Load(file.Path);
            AssertSame(expected, reader.Load());
            reused += reader.Reused > 0 && string.Join('\n', lines) != good ? 1 : 0;
            if (expected.Spec is null)
            {
                lines = [.. good.Split('\n')];
            }

            for (int change = random.Next(3); change >= 0; change--)
            {
                if (random.Next(4) == 0)
                {
                    Change(random, lines);
                }
                else
                {
                    Edit(random, lines);
                }
            }
        }

        return reused;
    }

    [Fact]
    public void Load_OneRuleIsAnother_ReadsItAlone()
    {
        using var file = new TemporaryFile(Basis);
        var reader = new FileReader(file.Path);
        DataplaneSpec before = reader.Load().GetSpec();
        Assert.Equal(0, reader.Reused);
        File.WriteAllText(file.Path, Basis.Replace("10.1.0.0", "10.9.0.0", StringComparison.Ordinal));
        DataplaneSpec after = reader.Load().GetSpec();

        // Three routes, two services, and four rules but one.
        Assert.Equal(8, reader.Reused);
        Assert.All(before.Routes.Zip(after.Routes), pair => Assert.Same(pair.First, pair.Second));
        Assert.All(before.Services.Zip(after.Services), pair => Assert.Same(pair.First, pair.Second));
        Assert.Equal([false, true, true, true], before.Filter.Rules.Zip(after.Filter.Rules, ReferenceEquals));
        Assert.Equal("10.9.0.0/16", after.Filter.Rules[0].From.ToString());
        Assert.NotSame(after.Filter.Rules[2], after.Filter.Rules[3]);
    }

    [Fact]
    public void Load_AnErrorAmongWhatIsKnown_HasItsLine()
    {
        using var file = new TemporaryFile(Basis);
        var reader = new FileReader(file.Path);
        reader.Load().GetSpec();
        File.WriteAllText(file.Path, Basis.Replace("10.1.0.0/16", "10.1.0.0/99", StringComparison.Ordinal));
        LoadResult wrong = reader.Load();
        Assert.Equal((24, "filter.rules[0].from"), (wrong.Errors.Single().Line, wrong.Errors.Single().Path));
        File.WriteAllText(file.Path, Basis);
        reader.Load().GetSpec();
        Assert.Equal(9, reader.Reused);
    }

    /// <summary>Another number somewhere, an element more, one less, or two that change places: what mostly leaves a good text good.</summary>
    private static void Edit(Random random, List<string> lines)
    {
        int[] elements = [.. Enumerable.Range(0, lines.Count).Where(line => lines[line].TrimStart().StartsWith("- {", StringComparison.Ordinal))];
        int[] numbers = [.. Enumerable.Range(0, lines.Count).Where(line => lines[line].Any(char.IsAsciiDigit))];
        if (elements.Length == 0 || numbers.Length == 0)
        {
            return;
        }

        int at = elements[random.Next(elements.Length)], other = elements[random.Next(elements.Length)], number = numbers[random.Next(numbers.Length)];
        switch (random.Next(5))
        {
            case 0:
                lines.RemoveAt(at);
                break;
            case 1:
                lines.Insert(at, lines[at].Replace('1', '2'));
                break;
            case 2:
                (lines[at], lines[other]) = (lines[other], lines[at]);
                break;
            default:
                int digit = lines[number].IndexOfAny([.. "123456789"], random.Next(lines[number].Length));
                lines[number] = digit < 0 ? lines[number] : lines[number].Remove(digit, 1).Insert(digit, "123456789"[random.Next(9)].ToString());
                break;
        }
    }

    private static void Change(Random random, List<string> lines)
    {
        int at = random.Next(lines.Count), other = random.Next(lines.Count);
        switch (random.Next(7))
        {
            case 0:
                lines.RemoveAt(at);
                lines.Add("");
                break;
            case 1:
                lines.Insert(at, lines[other]);
                break;
            case 2:
                lines.Insert(at, s_lines[random.Next(s_lines.Length)]);
                break;
            case 3:
                (lines[at], lines[other]) = (lines[other], lines[at]);
                break;
            case 4:
                lines[at] = lines[at].Replace("10.", "20.", StringComparison.Ordinal);
                break;
            case 5:
                lines[at] = random.Next(2) == 0 ? " " + lines[at] : lines[at].Length > 0 ? lines[at][1..] : "";
                break;
            default:
                lines.Insert(at, lines[other].Replace('2', '4'));
                break;
        }
    }

    private static void AssertSame(LoadResult expected, LoadResult actual)
    {
        Assert.Equal(expected.Errors, actual.Errors);
        Assert.Equal(expected.Spec is null ? null : SpecWriter.ToYaml(expected.Spec), actual.Spec is null ? null : SpecWriter.ToYaml(actual.Spec));
    }
}
