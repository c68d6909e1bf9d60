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
            case ["--version" or "version"]:
                await output.Out.WriteLineAsync(HelpText.Version).ConfigureAwait(false);
                return ExitCode.Ok;
            case ["help", .. var rest]:
                return await RunAsync(commands, [.. rest, "--help"], output).ConfigureAwait(false);
        }

        // Some commands have names of several words; the longest that fits is meant.
        Command? command = commands.Where(candidate => IsCalled(candidate, words)).MaxBy(candidate => candidate.Name.Length);
        if (command is null)
        {
            Command[] group = [.. commands.Where(candidate => candidate.Name.StartsWith(words[0] + " ", StringComparison.Ordinal))];
            if (group.Length > 0)
            {
                return await AnswerGroupAsync(group, words, output).ConfigureAwait(false);
            }

            await output.Error.WriteLineAsync($"dataplane: {Unknown(commands, words[0])} See dataplane --help.").ConfigureAwait(false);
            return ExitCode.Usage;
        }

        int length = command.Name.Split(' ').Length;
        if (words.AsSpan(length).ContainsAny("--help", "-h"))
        {
            await output.Out.WriteAsync(HelpText.ForCommand(command)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        return await RunGuardedAsync(command, words[length..], output).ConfigureAwait(false);
    }

    private static bool IsCalled(Command command, string[] words)
    {
        string[] name = command.Name.Split(' ');
        return words.Length >= name.Length && words.AsSpan(0, name.Length).SequenceEqual(name);
    }

    /// <summary>Says which commands begin with a word that is none by itself.</summary>
    private static async Task<int> AnswerGroupAsync(Command[] group, string[] words, Output output)
    {
        if (words.Any(word => word is "--help" or "-h"))
        {
            await output.Out.WriteAsync(HelpText.ForGroup(group)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        string given = string.Join(' ', words.TakeWhile(word => !word.StartsWith('-')).Take(3));
        string problem = $"there is no command \"{given}\"; there are {string.Join(", ", group.Select(command => command.Name))}.";
        await output.Error.WriteLineAsync($"dataplane: {problem}{ArgumentParser.Suggestion(given, group.Select(command => command.Name))} See dataplane --help.")
            .ConfigureAwait(false);
        return ExitCode.Usage;
    }

    private static string Unknown(IReadOnlyList<Command> commands, string word) => word == "cni"
        ? "there is no command \"cni\": container runtimes call the program itself as their plugin, without arguments and with CNI_COMMAND set."
        : word.StartsWith('-')
        ? $"there is no option {word} in front of a command.{ArgumentParser.Suggestion(word, ["--help", "--version"])}"
        : $"there is no command \"{word}\".{ArgumentParser.Suggestion(word, commands.Where(known => !known.IsHidden).Select(known => known.Name))}";

    private static async Task<int> RunGuardedAsync(Command command, string[] words, Output output)
    {
        try
        {
            return await command.RunAsync(ArgumentParser.Parse(command, words), output).ConfigureAwait(false);
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
