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
                return await RunAsync(commands, [rest[0], "--help"], output).ConfigureAwait(false);
        }

        Command? command = commands.FirstOrDefault(candidate => candidate.Name == words[0]);
        if (command is null)
        {
            await output.Error.WriteLineAsync($"dataplane: {Unknown(commands, words[0])} See dataplane --help.").ConfigureAwait(false);
            return ExitCode.Usage;
        }

        if (words.AsSpan(1).ContainsAny("--help", "-h"))
        {
            await output.Out.WriteAsync(HelpText.ForCommand(command)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        return await RunGuardedAsync(command, words, output).ConfigureAwait(false);
    }

    private static string Unknown(IReadOnlyList<Command> commands, string word) => word.StartsWith('-')
        ? $"there is no option {word} in front of a command.{ArgumentParser.Suggestion(word, ["--help", "--version"])}"
        : $"there is no command \"{word}\".{ArgumentParser.Suggestion(word, commands.Where(known => !known.IsHidden).Select(known => known.Name))}";

    private static async Task<int> RunGuardedAsync(Command command, string[] words, Output output)
    {
        try
        {
            return await command.RunAsync(ArgumentParser.Parse(command, words.AsSpan(1)), output).ConfigureAwait(false);
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
