using Dataplane.Configuration;

namespace Dataplane.Gateway.CommandLine;

/// <summary>Finds the command that was called, runs it, and turns what it throws into messages and exit codes.</summary>
internal static class Dispatcher
{
    public static async Task<int> RunAsync(IReadOnlyList<Command> commands, string[] words, Output output)
    {
        switch (words)
        {
            case []:
                await output.Error.WriteAsync(HelpText.ForProgram(commands)).ConfigureAwait(false);
                return ExitCode.Usage;
            case ["--help" or "-h" or "help"] or ["help", "--help" or "-h" or "help"]:
                await output.Out.WriteAsync(HelpText.ForProgram(commands)).ConfigureAwait(false);
                return ExitCode.Ok;
            case ["--version"]:
                await output.Out.WriteLineAsync(HelpText.Version).ConfigureAwait(false);
                return ExitCode.Ok;
            case ["help", .. var rest]:
                return await RunAsync(commands, [.. rest, "--help"], output).ConfigureAwait(false);
        }

        // The name of some commands has two words, as in "network create".
        Command? command = commands.FirstOrDefault(candidate => words.Length > 1 && candidate.Name == $"{words[0]} {words[1]}")
            ?? commands.FirstOrDefault(candidate => candidate.Name == words[0]);
        if (command is null)
        {
            string wrong = words.Length > 1 && IsGroup(commands, words[0]) ? $"{words[0]} {words[1]}" : words[0];
            await output.Error.WriteLineAsync($"dataplane: {Unknown(commands, wrong)} See dataplane --help.").ConfigureAwait(false);
            return ExitCode.Usage;
        }

        if (words.AsSpan(1).ContainsAny("--help", "-h"))
        {
            await output.Out.WriteAsync(HelpText.ForCommand(command)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        return await RunGuardedAsync(command, words, output).ConfigureAwait(false);
    }

    private static bool IsGroup(IReadOnlyList<Command> commands, string word) =>
        commands.Any(candidate => candidate.Name.StartsWith(word + " ", StringComparison.Ordinal));

    private static int WordsOf(Command command) => command.Name.Contains(' ', StringComparison.Ordinal) ? 2 : 1;

    private static string Unknown(IReadOnlyList<Command> commands, string word) => word.StartsWith('-')
        ? $"there is no option {word} in front of a command.{ArgumentParser.Suggestion(word, ["--help", "--version"])}"
        : $"there is no command \"{word}\".{ArgumentParser.Suggestion(word, commands.Where(known => !known.IsHidden).Select(known => known.Name))}";

    private static async Task<int> RunGuardedAsync(Command command, string[] words, Output output)
    {
        try
        {
            return await command.RunAsync(ArgumentParser.Parse(command, words.AsSpan(WordsOf(command))), output).ConfigureAwait(false);
        }
        catch (UsageException wrong)
        {
            await output.Error.WriteLineAsync($"dataplane {command.Name}: {wrong.Message} See dataplane {command.Name} --help.").ConfigureAwait(false);
            return ExitCode.Usage;
        }
        catch (ConfigurationException wrong)
        {
            await ErrorReport.WriteAsync(output.Error, wrong.Errors).ConfigureAwait(false);
            return ExitCode.Usage;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // LinuxException is one of them; its message names the call, the interface, the error and the remedy.
            await output.Error.WriteLineAsync($"dataplane {command.Name}: {refused.Message}").ConfigureAwait(false);
            return ExitCode.Failed;
        }
    }
}
