namespace Dataplane.Configuration;

/// <summary>The three shapes of a <see cref="ConfigNode"/>.</summary>
public enum ConfigNodeKind
{
    /// <summary>One text.</summary>
    Scalar,

    /// <summary>A list of nodes.</summary>
    Sequence,

    /// <summary>Nodes by key, in the order they were written.</summary>
    Mapping,
}
