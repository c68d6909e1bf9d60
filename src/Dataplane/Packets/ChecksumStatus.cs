namespace Dataplane.Packets;

/// <summary>What can be said about the transport checksum of a packet.</summary>
public enum ChecksumStatus : byte
{
    /// <summary>Nothing: a fragment, a protocol without internet checksum, or a packet cut off or malformed.</summary>
    NotApplicable = 0,

    /// <summary>It adds up.</summary>
    Valid,

    /// <summary>It does not add up.</summary>
    Invalid,

    /// <summary>UDP without checksum: allowed in IPv4 (RFC 768), in IPv6 only for tunnels (RFC 8200 8.1, RFC 6935).</summary>
    Absent,
}
