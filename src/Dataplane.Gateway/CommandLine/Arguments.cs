using System.Globalization;

namespace Dataplane.Gateway.CommandLine;

/// <summary>What was given on the command line of one command.</summary>
internal sealed class Arguments
{
    private readonly ILookup<string, string> _options;

    public Arguments(IReadOnlyList<string> positionals, IEnumerable<(string Name, string Value)> options)
    {
        Positionals = positionals;
        _options = options.ToLookup(option => option.Name, option => option.Value);
    }

    /// <summary>What is no option, in order.</summary>
    public IReadOnlyList<string> Positionals { get; }

    public bool Has(Option option) => _options.Contains(option.Name);

    /// <summary>The value of an option, or null.</summary>
    public string? Get(Option option) => _options[option.Name].FirstOrDefault();

    public IEnumerable<string> GetAll(Option option) => _options[option.Name];

    /// <summary>The value of an option as a whole number, or null.</summary>
    /// <exception cref="UsageException">It is none, or out of range.</exception>
    public long? GetNumber(Option option, long least, long most)
    {
        if (Get(option) is not { } text)
        {
            return null;
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= least && number <= most
            ? number
            : throw new UsageException($"{option.Name} \"{text}\": is not a whole number from {least} to {most}.");
    }
}
