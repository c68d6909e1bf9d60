namespace Dataplane.Balancing;

/// <summary>How packets of a service reach the backend.</summary>
public enum ForwardMode
{
    /// <summary>Destination address and port are translated, and translated back on the way to the client. The client's address is kept.</summary>
    Nat = 0,

    /// <summary>Direct server return (L2): the packet goes to the backend's hardware address as it is, but for its TTL; backends have the service's address themselves
    /// (on a loopback interface, not answering ARP for it) and answer clients past the gateway.</summary>
    Dsr,
}
