namespace Dataplane.Telemetry;

/// <summary>Why a saved state was not taken over. Then nothing of it was.</summary>
public enum StateRefusal
{
    /// <summary>It was taken over, or written.</summary>
    None = 0,

    /// <summary>It does not begin as a saved state does.</summary>
    NotAState,

    /// <summary>Of another version of the format, or of a build that remembers other things of a flow.</summary>
    OtherVersion,

    /// <summary>Its end is missing.</summary>
    Truncated,

    /// <summary>Its checksum is wrong.</summary>
    Damaged,

    /// <summary>The checksum is right, but it says what cannot be.</summary>
    Malformed,

    /// <summary>Longer than 2 GB.</summary>
    TooLarge,
}
