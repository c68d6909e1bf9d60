using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.CommandLine;

public class DispatcherTests
{
    [Theory]
    [InlineData("chek x", "", "there is no command \"chek\". Did you mean check?")]
    [InlineData("frobnicate", "", "there is no command \"frobnicate\".")]
    [InlineData("help frobnicate", "", "there is no command \"frobnicate\".")]
    [InlineData("--hepl", "", "there is no option --hepl in front of a command. Did you mean --help?")]
    [InlineData("check", "check", "FILE is missing.")]
    [InlineData("check --prnt f", "check", "there is no option --prnt. Did you mean --print?")]
    [InlineData("check f --helpp", "check", "there is no option --helpp. Did you mean --help?")]
    [InlineData("cni", "", "there is no command \"cni\": container runtimes call the program itself as their plugin, without arguments and with CNI_COMMAND set.")]
    [InlineData("replay f --out d", "replay", "--in PORT=FILE is missing: what came in by a port: a capture file (pcap or pcapng).")]
    [InlineData("demo --seconds 2", "demo", "--seconds \"2\": is not a whole number from 5 to 3600.")]
    [InlineData("run f --metrics 9100", "run", "--metrics \"9100\": is not ADDRESS:PORT, such as 127.0.0.1:9100, [::1]:9100 or :9100.")]
    [InlineData("run f --metrics ::1:9100", "run", "--metrics \"::1:9100\": is not ADDRESS:PORT, such as 127.0.0.1:9100, [::1]:9100 or :9100.")]
    [InlineData("run f --status 1", "run", "--status \"1\": is not a whole number from 50 to 3600000.")]
    public async Task RunAsync_WrongWords_SaysWhatIsWrongInOneLineAndEndsWith2(string words, string command, string message)
    {
        Ended ended = (await Called.WithAsync(words.Split(' '))).With(ExitCode.Usage);
        string program = $"dataplane {command}".TrimEnd();
        Assert.Equal($"{program}: {message} See {program} --help.\n", ended.Error);
        Assert.Empty(ended.Output);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("help")]
    [InlineData("help --help")]
    public async Task RunAsync_Help_ListsEveryCommandThatIsNotHidden(string words)
    {
        Ended ended = (await Called.WithAsync(words.Split(' '))).With(ExitCode.Ok);
        Assert.All(Called.Commands, command => Assert.Contains($"  {command.Name,-18}{command.Summary}", ended.Lines));
        Assert.Empty(ended.Error);
    }

    [Fact]
    public async Task RunAsync_NoWords_ShowsTheHelpAsAnError()
    {
        Ended ended = (await Called.WithAsync()).With(ExitCode.Usage);
        Assert.Contains("New here? Try: dataplane demo", ended.ErrorLines);
        Assert.Empty(ended.Output);
    }

    [Fact]
    public async Task RunAsync_HelpOfACommand_ShowsEveryOptionThatIsNotHidden()
    {
        foreach (Command command in Called.Commands)
        {
            Ended first = (await Called.WithAsync([.. command.Name.Split(' '), "--help"])).With(ExitCode.Ok);
            Ended second = (await Called.WithAsync(["help", .. command.Name.Split(' ')])).With(ExitCode.Ok);
            Assert.Equal(first.Output, second.Output);
            Assert.StartsWith($"dataplane {command.Name}: {command.Summary}\n\nUsage:\n  dataplane {command.Name}", first.Output, StringComparison.Ordinal);
            Assert.All(command.Positionals, positional => Assert.Contains(" " + positional, first.Lines[2], StringComparison.Ordinal));
            Assert.All(command.Options, option => Assert.Equal(!option.IsHidden, first.Lines.Any(line =>
                line.StartsWith($"  {option.Name} {option.Value}", StringComparison.Ordinal) && line.EndsWith(option.Help, StringComparison.Ordinal))));
            Assert.All(command.Options.Where(option => !option.IsHidden), option => Assert.EndsWith(" ", first.Lines.First(line =>
                line.StartsWith($"  {option.Name} {option.Value}", StringComparison.Ordinal) && line.EndsWith(option.Help, StringComparison.Ordinal))[..^option.Help.Length], StringComparison.Ordinal));
            Assert.Contains("  2  the command line or the configuration is wrong, or there is none; nothing was started", first.Lines);
        }
    }

    [Fact]
    public async Task RunAsync_Version_IsThatOfTheAssembly()
    {
        string version = typeof(Dispatcher).Assembly.GetName().Version!.ToString(3);
        Assert.StartsWith($"dataplane {version}", (await Called.WithAsync("version")).With(ExitCode.Ok).Output, StringComparison.Ordinal);
        Assert.StartsWith($"dataplane {version}", (await Called.WithAsync("--version")).With(ExitCode.Ok).Output, StringComparison.Ordinal);
    }
}
