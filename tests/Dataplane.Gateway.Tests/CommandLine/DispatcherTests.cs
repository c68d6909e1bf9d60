using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.CommandLine;

public class DispatcherTests
{
    [Theory]
    [InlineData("chek x", "dataplane: there is no command \"chek\". Did you mean check? See dataplane --help.")]
    [InlineData("frobnicate", "dataplane: there is no command \"frobnicate\". See dataplane --help.")]
    [InlineData("help frobnicate", "dataplane: there is no command \"frobnicate\". See dataplane --help.")]
    [InlineData("--hepl", "dataplane: there is no option --hepl in front of a command. Did you mean --help? See dataplane --help.")]
    [InlineData("check", "dataplane check: FILE is missing. See dataplane check --help.")]
    [InlineData("check --prnt f", "dataplane check: There is no option --prnt. Did you mean --print? See dataplane check --help.")]
    [InlineData("replay f --out d", "dataplane replay: --in PORT=FILE is missing: what came in by a port: a capture file (pcap or pcapng). See dataplane replay --help.")]
    [InlineData("demo --seconds 2", "dataplane demo: --seconds \"2\": is not a whole number from 5 to 3600. See dataplane demo --help.")]
    [InlineData("run f --metrics 9100", "dataplane run: --metrics \"9100\": is not ADDRESS:PORT, such as 127.0.0.1:9100, [::1]:9100 or :9100. See dataplane run --help.")]
    [InlineData("run f --metrics ::1:9100", "dataplane run: --metrics \"::1:9100\": is not ADDRESS:PORT, such as 127.0.0.1:9100, [::1]:9100 or :9100. See dataplane run --help.")]
    [InlineData("run f --status 1", "dataplane run: --status \"1\": is not a whole number from 50 to 3600000. See dataplane run --help.")]
    public async Task RunAsync_WrongWords_SaysWhatIsWrongInOneLineAndEndsWith2(string words, string message)
    {
        Ended ended = (await Called.WithAsync(words.Split(' '))).With(ExitCode.Usage);
        Assert.Equal(message + "\n", ended.Error);
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
        Assert.All(Called.Commands, command => Assert.Contains($"  {command.Name,-14}{command.Summary}", ended.Lines));
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
            Ended first = (await Called.WithAsync(command.Name, "--help")).With(ExitCode.Ok), second = (await Called.WithAsync("help", command.Name)).With(ExitCode.Ok);
            Assert.Equal(first.Output, second.Output);
            Assert.StartsWith($"dataplane {command.Name}: {command.Summary}\n\nUsage:\n  dataplane {command.Name}", first.Output, StringComparison.Ordinal);
            Assert.All(command.Positionals, positional => Assert.Contains(" " + positional, first.Lines[2], StringComparison.Ordinal));
            Assert.All(command.Options, option => Assert.Equal(!option.IsHidden,
                first.Lines.Any(line => line.StartsWith($"  {option.Name} {option.Value}", StringComparison.Ordinal) && line.EndsWith(option.Help, StringComparison.Ordinal))));
            Assert.Contains("  2  the command line or the configuration is wrong, or there is none; nothing was started", first.Lines);
        }
    }

    [Fact]
    public async Task RunAsync_Version_IsThatOfTheAssembly() =>
        Assert.StartsWith($"dataplane {typeof(Dispatcher).Assembly.GetName().Version!.ToString(3)}", (await Called.WithAsync("--version")).With(ExitCode.Ok).Output, StringComparison.Ordinal);
}
