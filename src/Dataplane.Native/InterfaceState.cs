namespace Dataplane.Native;

/// <summary>Whether an interface can pass frames.</summary>
public enum InterfaceState
{
    /// <summary>Administratively up and with carrier.</summary>
    Up,

    /// <summary>Down, or without carrier.</summary>
    Down,

    /// <summary>Deleted, or moved to another network namespace.</summary>
    Gone,
}
