namespace Dataplane.Configuration;

/// <summary>The configuration cannot be used; holds every error found, not just the first.</summary>
public sealed class ConfigurationException : Exception
{
    /// <summary>Makes the exception from the errors.</summary>
    public ConfigurationException(IReadOnlyList<ConfigurationError> errors)
        : base($"The configuration has {errors.Count} error{(errors.Count == 1 ? "" : "s")}:{Environment.NewLine}{string.Join(Environment.NewLine, errors)}") =>
        Errors = errors;

    /// <summary>The errors, in the order of the configuration.</summary>
    public IReadOnlyList<ConfigurationError> Errors { get; }
}
