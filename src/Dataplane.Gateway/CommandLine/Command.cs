namespace Dataplane.Gateway.CommandLine;

/// <summary>One command of the program.</summary>
internal abstract class Command
{
    /// <summary>The word that calls it.</summary>
    public abstract string Name { get; }

    /// <summary>One line for the list of commands.</summary>
    public abstract string Summary { get; }

    /// <summary>What it does, in a few lines; empty when the summary says it all.</summary>
    public virtual string Details => "";

    /// <summary>Names of the positional arguments, all of which must be given but for those in brackets, which stand last; a last one that ends with ... takes all that are left.</summary>
    public virtual IReadOnlyList<string> Positionals => [];

    public virtual IReadOnlyList<Option> Options => [];

    /// <summary>Left out of the list of commands: parts of the demo that run in processes of their own.</summary>
    public virtual bool IsHidden => false;

    /// <summary>Does it.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    /// <exception cref="UsageException">The arguments do not fit each other.</exception>
    /// <exception cref="IOException">The system refused; the message says what and how to mend it.</exception>
    public abstract Task<int> RunAsync(Arguments arguments, Output output);
}
