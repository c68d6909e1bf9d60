namespace Dataplane.Balancing.ConnectionIds;

/// <summary>What the connection ID of a packet to a service says of its backend.</summary>
internal enum ConnectionIdOutcome : byte
{
    /// <summary>It names a backend that is there.</summary>
    Routed = 0,

    /// <summary>The packet is an Initial or 0-RTT: the client may have made it up (RFC 9000, 7.2), and shall not choose its backend.</summary>
    ClientChosen,

    /// <summary>A long header of a version whose packet types are not known, of version negotiation, or of a type that clients do not send.</summary>
    UnknownType,

    /// <summary>There are fewer bytes than the configuration says, or another length than the ID says itself; or the packet is a fragment.</summary>
    WrongLength,

    /// <summary>There is no configuration of its number, or the number says that it leads nowhere.</summary>
    NoConfiguration,

    /// <summary>No backend has the server ID.</summary>
    UnknownServer,

    /// <summary>The backend with the server ID is down, or its time to drain is over.</summary>
    Unavailable,
}
