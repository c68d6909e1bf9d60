namespace Dataplane.Ports;

/// <summary>Whether a port can pass frames now.</summary>
public enum LinkState
{
    /// <summary>Frames pass.</summary>
    Up,

    /// <summary>The interface exists but is down or without carrier; the port recovers by itself when it comes up.</summary>
    Down,

    /// <summary>The interface or file behind the port is gone.</summary>
    Gone,
}
