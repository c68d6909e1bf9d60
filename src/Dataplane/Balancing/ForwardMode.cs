namespace Dataplane.Balancing;

/// <summary>How packets of a service reach the backend.</summary>
public enum ForwardMode
{
    /// <summary>Destination address and port are translated, and translated back on the way to the client. The client's address is kept.</summary>
    Nat = 0,
}
