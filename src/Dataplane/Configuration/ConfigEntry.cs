namespace Dataplane.Configuration;

/// <summary>One key of a mapping with its value.</summary>
/// <param name="Key">The key as text; unique within its mapping.</param>
/// <param name="Value">What stands behind the key.</param>
public sealed record ConfigEntry(string Key, ConfigNode Value)
{
    /// <summary>Line of the key in the file, from 1; 0 when not known.</summary>
    public int Line { get; init; }

    /// <summary>Column of the key, from 1; 0 when not known.</summary>
    public int Column { get; init; }
}
