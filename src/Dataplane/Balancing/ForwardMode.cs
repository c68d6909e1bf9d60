namespace Dataplane.Balancing;

/// <summary>How packets of a service reach the backend.</summary>
public enum ForwardMode
{
    /// <summary>Destination address and port are translated, and translated back on the way to the client. The client's address is kept.</summary>
    Nat = 0,

    /// <summary>Direct server return (L2): the packet goes to the backend's hardware address as it is, but for its TTL; backends have the service's address themselves
    /// (on a loopback interface, not answering ARP for it) and answer clients past the gateway.</summary>
    Dsr,

    /// <summary>As it is, inside another IP packet to the backend (RFC 2003, RFC 2473, RFC 4213), which may be anywhere and of either family; backends have the
    /// service's address themselves, take the packet out, and answer clients past the gateway.</summary>
    Ipip,

    /// <summary>As <see cref="Ipip"/>, behind UDP with a source port that differs from flow to flow: variant 1 of draft-ietf-intarea-gue.</summary>
    Gue,
}
