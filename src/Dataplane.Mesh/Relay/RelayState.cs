namespace Dataplane.Mesh.Relay;

/// <summary>Where a relay is in its life.</summary>
public enum RelayState
{
    /// <summary>Not started.</summary>
    Created,

    /// <summary>Takes connections in.</summary>
    Running,

    /// <summary>Takes nothing in, and waits for the connections that stand.</summary>
    Draining,

    /// <summary>Has no connection any more.</summary>
    Stopped,
}
