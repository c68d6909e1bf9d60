namespace Dataplane.Gateway.CommandLine;

/// <summary>Sorts the words behind a command's name into options and positionals.</summary>
/// <remarks>Options are <c>--name VALUE</c> or <c>--name=VALUE</c>, anywhere; behind <c>--</c> everything is positional.</remarks>
internal static class ArgumentParser
{
    /// <exception cref="UsageException">The words do not fit the command.</exception>
    public static Arguments Parse(Command command, ReadOnlySpan<string> words)
    {
        var positionals = new List<string>();
        var options = new List<(string Name, string Value)>();
        bool onlyPositionals = false;
        for (int i = 0; i < words.Length; i++)
        {
            string word = words[i];
            if (onlyPositionals || !word.StartsWith('-') || word == "-")
            {
                positionals.Add(word);
            }
            else if (word == "--")
            {
                onlyPositionals = true;
            }
            else
            {
                options.Add(ReadOption(command, words, ref i));
            }
        }

        Check(command, positionals, options);
        return new Arguments(positionals, options);
    }

    private static (string Name, string Value) ReadOption(Command command, ReadOnlySpan<string> words, ref int at)
    {
        string word = words[at];
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? word : word[..equals];
        Option option = command.Options.FirstOrDefault(candidate => candidate.Name == name)
            ?? throw new UsageException($"there is no option {name}.{Suggestion(name, command.Options.Where(known => !known.IsHidden).Select(known => known.Name).Append("--help"))}");
        if (option.IsFlag)
        {
            return equals < 0 ? (name, "") : throw new UsageException($"{name} takes no value.");
        }

        if (equals >= 0)
        {
            return (name, word[(equals + 1)..]);
        }

        return ++at < words.Length ? (name, words[at]) : throw new UsageException($"{name} needs a value: {name} {option.Value}.");
    }

    private static void Check(Command command, List<string> positionals, List<(string Name, string Value)> options)
    {
        if (positionals.Count < command.Positionals.Count && !command.Positionals[positionals.Count].StartsWith('['))
        {
            throw new UsageException($"{command.Positionals[positionals.Count]} is missing.");
        }

        if (positionals.Count > command.Positionals.Count && !(command.Positionals is [.., var last] && last.EndsWith("...]", StringComparison.Ordinal)))
        {
            throw new UsageException($"\"{positionals[command.Positionals.Count]}\" is one argument too many.");
        }

        foreach (Option option in command.Options)
        {
            int count = options.Count(given => given.Name == option.Name);
            if (count == 0 && option.IsRequired)
            {
                throw new UsageException($"{option.Name} {option.Value} is missing: {option.Help}.");
            }

            if (count > 1 && !option.IsRepeatable)
            {
                throw new UsageException($"{option.Name} is given {count} times; once is enough.");
            }
        }
    }

    /// <summary>The known word that a wrong one was most likely meant to be.</summary>
    public static string Suggestion(string wrong, IEnumerable<string> known)
    {
        string? nearest = known.MinBy(candidate => Distance(wrong, candidate));
        return nearest is not null && Distance(wrong, nearest) <= 2 ? $" Did you mean {nearest}?" : "";
    }

    /// <summary>Letters to insert, remove or replace (Levenshtein).</summary>
    private static int Distance(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + (from[i - 1] == to[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
