using Dataplane.Configuration;

namespace Dataplane.Hosting.Configuration;

/// <summary>What came of reading a configuration: a specification that can be used, or every error that is in it.</summary>
public sealed record LoadResult
{
    /// <summary>The specification, read and checked; null when there are errors.</summary>
    public DataplaneSpec? Spec { get; init; }

    /// <summary>All errors in the order of the configuration, with file, line and column where there are such; empty when there is a specification.</summary>
    public IReadOnlyList<ConfigurationError> Errors { get; init; } = [];

    /// <summary>Whether the specification was checked as a whole.</summary>
    internal bool IsChecked { get; private init; }

    /// <summary>Gives the specification.</summary>
    /// <exception cref="ConfigurationException">There is none; the exception holds every error.</exception>
    public DataplaneSpec GetSpec() => Spec ?? throw new ConfigurationException(Errors);

    internal static LoadResult From(ConfigNode root, IReadOnlyList<ConfigurationError>? found = null, Func<DataplaneSpec, DataplaneSpec>? change = null)
    {
        (DataplaneSpec spec, IReadOnlyList<ConfigurationError> errors) = SpecReader.ReadAndValidate(root, found, change);
        return new LoadResult { Spec = errors.Count == 0 ? spec : null, Errors = errors, IsChecked = true };
    }
}
