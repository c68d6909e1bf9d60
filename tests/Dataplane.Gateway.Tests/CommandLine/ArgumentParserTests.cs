using Dataplane.Gateway.CommandLine;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Gateway.Tests.CommandLine;

public class ArgumentParserTests
{
    private static readonly Option s_port = new("--port", "NAME", "the port") { IsRequired = true };
    private static readonly Option s_in = new("--in", "FILE", "an input") { IsRepeatable = true };
    private static readonly Option s_count = new("--count", "N", "how many");
    private static readonly Option s_json = new("--json", "", "as JSON");
    private static readonly Option s_hidden = new("--hiddn", "", "not for people") { IsHidden = true };

    private static readonly TestCommand s_command = new(["FILE"], [s_port, s_in, s_count, s_json, s_hidden]);

    [Theory]
    [InlineData("file --port wan --json")]
    [InlineData("--port wan file --json")]
    [InlineData("--json --port=wan file")]
    [InlineData("--json --port=wan -- file")]
    public void Parse_OptionsAnywhere_AreSortedOut(string words)
    {
        Arguments parsed = ArgumentParser.Parse(s_command, words.Split(' '));
        Assert.Equal(["file"], parsed.Positionals);
        Assert.Equal("wan", parsed.Get(s_port));
        Assert.True(parsed.Has(s_json));
        Assert.False(parsed.Has(s_in));
        Assert.Null(parsed.Get(s_in));
    }

    [Fact]
    public void Parse_ValueThatLooksLikeAnOption_IsTheValue()
    {
        Arguments parsed = ArgumentParser.Parse(s_command, ["-", "--port", "--json", "--in=a=b", "--in", ""]);
        Assert.Equal(["-"], parsed.Positionals);
        Assert.Equal("--json", parsed.Get(s_port));
        Assert.False(parsed.Has(s_json));
        Assert.Equal(["a=b", ""], parsed.GetAll(s_in));
    }

    [Theory]
    [InlineData("--port wan", "FILE is missing.")]
    [InlineData("file", "--port NAME is missing: the port.")]
    [InlineData("file --port", "--port needs a value: --port NAME.")]
    [InlineData("file --port a --port=b", "--port is given 2 times; once is enough.")]
    [InlineData("file two --port a", "\"two\" is one argument too many.")]
    [InlineData("file --port a --json=yes", "--json takes no value.")]
    [InlineData("file --prot a", "there is no option --prot. Did you mean --port?")]
    [InlineData("file -p a", "there is no option -p.")]
    [InlineData("file --port a --hidden", "there is no option --hidden.")]
    [InlineData("file --port a -- --json", "\"--json\" is one argument too many.")]
    public void Parse_WordsThatDoNotFit_SaysWhichAndHow(string words, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => ArgumentParser.Parse(s_command, words.Split(' '))).Message);

    [Theory]
    [InlineData("5", 5L)]
    [InlineData("100", 100L)]
    [InlineData(null, null)]
    public void GetNumber_InRange_IsTheNumber(string? text, long? expected) => Assert.Equal(expected, Number(text));

    [Theory]
    [InlineData("4")]
    [InlineData("101")]
    [InlineData("-5")]
    [InlineData("5.0")]
    [InlineData(" 5")]
    [InlineData("five")]
    [InlineData("")]
    [InlineData("99999999999999999999")]
    public void GetNumber_AnythingElse_SaysTheRange(string text) =>
        Assert.Equal($"--count \"{text}\": is not a whole number from 5 to 100.", Assert.Throws<UsageException>(() => Number(text)).Message);

    [Fact]
    public void Parse_WhatWasWritten_IsReadBack() => Prop.ForAll<string[], string[], NonNull<string>>((inputs, positional, port) =>
    {
        string[] values = [.. inputs.Where(input => input is not null)];
        string name = positional.FirstOrDefault(word => word is not null) ?? "";
        string[] words = [.. values.SelectMany((value, i) => i % 2 == 0 ? new[] { "--in", value } : [$"--in={value}"]), $"--port={port.Get}", "--", name];
        Arguments parsed = ArgumentParser.Parse(s_command, words);
        Assert.Equal(values, parsed.GetAll(s_in));
        Assert.Equal(port.Get, parsed.Get(s_port));
        Assert.Equal([name], parsed.Positionals);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Parse_AnyWords_GivesArgumentsOrAUsageException() => Prop.ForAll(
        Gen.Elements("--port", "--port=x", "--in", "--json", "--json=", "--", "-", "", "file", "--x").ArrayOf().ToArbitrary(), words =>
        {
            try
            {
                Arguments parsed = ArgumentParser.Parse(s_command, words);
                Assert.Single(parsed.Positionals);
                Assert.Single(parsed.GetAll(s_port));
            }
            catch (UsageException wrong)
            {
                Assert.Matches("[.?]$", wrong.Message);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Theory]
    [InlineData("chek", " Did you mean check?")]
    [InlineData("rnu", " Did you mean run?")]
    [InlineData("explode", "")]
    [InlineData("", "")]
    public void Suggestion_WordNearOne_IsThatOne(string wrong, string suggestion) =>
        Assert.Equal(suggestion, ArgumentParser.Suggestion(wrong, ["run", "check", "explain"]));

    private static long? Number(string? text) =>
        ArgumentParser.Parse(s_command, text is null ? ["f", "--port=a"] : ["f", "--port=a", $"--count={text}"]).GetNumber(s_count, 5, 100);

    private sealed class TestCommand(IReadOnlyList<string> positionals, IReadOnlyList<Option> options) : Command
    {
        public override string Name => "test";

        public override string Summary => "tests";

        public override IReadOnlyList<string> Positionals => positionals;

        public override IReadOnlyList<Option> Options => options;

        public override Task<int> RunAsync(Arguments arguments, Output output) => Task.FromResult(0);
    }
}
