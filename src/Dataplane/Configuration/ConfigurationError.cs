namespace Dataplane.Configuration;

/// <summary>One thing wrong in a configuration.</summary>
/// <param name="Path">Place in the model, such as <c>services[0].backends[1].port</c>.</param>
/// <param name="Message">What is wrong and what is allowed, in one sentence.</param>
/// <param name="Value">The offending value as written; null when something is missing.</param>
public sealed record ConfigurationError(string Path, string Message, string? Value = null)
{
    /// <summary>File the value stands in; null when it came from code.</summary>
    public string? File { get; init; }

    /// <summary>Line in the file, from 1; 0 when not known.</summary>
    public int Line { get; init; }

    /// <summary>Column in the line, from 1; 0 when not known.</summary>
    public int Column { get; init; }

    /// <inheritdoc/>
    public override string ToString()
    {
        string place = File is null ? "" : Line > 0 ? $"{File}:{Line}:{Column}: " : $"{File}: ";
        return Value is null ? $"{place}{Path}: {Message}" : $"{place}{Path}: \"{Value}\": {Message}";
    }
}
