namespace Dataplane.Gateway.CommandLine;

/// <summary>One option of a command.</summary>
/// <param name="Name">With its dashes, such as <c>--port</c>.</param>
/// <param name="Value">What stands for its value in the help, such as <c>NAME</c>; empty for a flag.</param>
/// <param name="Help">One sentence.</param>
internal sealed record Option(string Name, string Value, string Help)
{
    /// <summary>May be given several times.</summary>
    public bool IsRepeatable { get; init; }

    /// <summary>Must be given.</summary>
    public bool IsRequired { get; init; }

    /// <summary>Left out of the help.</summary>
    public bool IsHidden { get; init; }

    public bool IsFlag => Value.Length == 0;
}
