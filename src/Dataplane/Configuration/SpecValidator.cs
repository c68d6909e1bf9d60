namespace Dataplane.Configuration;

/// <summary>Checks a specification as a whole, without touching the system.</summary>
public static class SpecValidator
{
    /// <summary>Finds everything wrong with a specification.</summary>
    /// <returns>The errors in the order of the configuration; empty when it can be compiled.</returns>
    public static IReadOnlyList<ConfigurationError> Validate(DataplaneSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return [];
    }
}
