using System.Text;
using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Tests.Configuration;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Hosting.Tests.Configuration;

public class ConfigurationPropertyTests
{
    private const string Marks = "{}[]:,-#&*!|>'\"%@`?\t \n\\~<=0aé";

    [Fact]
    public void ToYaml_AnyReadableSpec_ReadsBackTheSame() => Prop.ForAll(RandomSpecs.Seeds, seed =>
    {
        DataplaneSpec spec = new RandomSpecs(seed, isWild: false).Next();
        string text = SpecWriter.ToYaml(spec);
        var errors = new List<ConfigurationError>();
        ConfigNode? root = YamlTreeReader.Read(text, "written.yaml", errors);
        Assert.True(errors.Count == 0, $"{string.Join('\n', errors)}\n{text}");
        (DataplaneSpec read, IReadOnlyList<ConfigurationError> wrong) = SpecReader.Read(root!);
        Assert.True(wrong.Count == 0, $"{string.Join('\n', wrong)}\n{text}");
        SpecAssert.Equal(spec, read);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void Parse_RandomBytes_GivesErrorsAndNeverThrows() => Prop.ForAll<byte[]>(bytes => Check(Encoding.Latin1.GetString(bytes)))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(1000).WithEndSize(300));

    [Fact]
    public void Parse_RandomMarks_GivesErrorsAndNeverThrows() => Prop.ForAll(
        Gen.ArrayOf(Gen.Elements(Marks.ToCharArray())).ToArbitrary(), marks => Check(new string(marks)))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(3000).WithEndSize(80));

    [Fact]
    public void Parse_MutatedFile_GivesErrorsOrASpecAndNeverThrows() => Prop.ForAll(RandomSpecs.Seeds, seed => Check(Mutate(new Random(seed))))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(3000));

    private static void Check(string text)
    {
        LoadResult result = ConfigurationFile.Parse(text, "gateway.yaml");
        Assert.Equal(result.Spec is null, result.Errors.Count > 0);

        // The parser counts lines as YAML 1.1 does, which has more line breaks than most editors; an error may stand on the line behind the last.
        int lines = text.Count(character => character is '\n' or '\r' or '\u0085' or '\u2028' or '\u2029') + 2;
        Assert.All(result.Errors, error =>
        {
            Assert.Equal("gateway.yaml", error.File);
            Assert.InRange(error.Line, 1, lines);
            Assert.True(error.Column >= 1, error.ToString());
            Assert.False(string.IsNullOrWhiteSpace(error.Message));
            Assert.DoesNotContain('\n', error.ToString());
        });
    }

    private static string Mutate(Random random)
    {
        var text = new StringBuilder(random.Next(2) == 0
            ? ConfigurationFileTests.Example
            : SpecWriter.ToYaml(new RandomSpecs(random.Next(), isWild: false).Next()));
        for (int count = random.Next(1, 6); count > 0 && text.Length > 0; count--)
        {
            int at = random.Next(text.Length);
            int length = random.Next(1, Math.Min(20, text.Length - at) + 1);
            string piece = text.ToString(at, length);
            _ = random.Next(5) switch
            {
                0 => text.Remove(at, length),
                1 => text.Insert(random.Next(text.Length), piece),
                2 => text.Insert(at, Marks[random.Next(Marks.Length)]),
                3 => text.Replace(text[at], Marks[random.Next(Marks.Length)], at, 1),
                _ => text.Remove(at, random.Next(4) == 0 ? text.Length - at : 1),
            };
        }

        return text.ToString();
    }
}
