namespace Dataplane.Filtering;

/// <summary>What a filter rule does with a packet.</summary>
public enum FilterAction : byte
{
    /// <summary>Lets it pass.</summary>
    Allow = 0,

    /// <summary>Drops it silently.</summary>
    Deny,
}
