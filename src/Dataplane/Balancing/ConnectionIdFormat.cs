namespace Dataplane.Balancing;

/// <summary>How servers write into their QUIC connection IDs which of them it is.</summary>
public enum ConnectionIdFormat
{
    /// <summary>As draft-ietf-quic-load-balancers-21 says: in clear, or encrypted by AES-128 in one pass or four; up to seven configurations at a time.</summary>
    QuicLb = 0,

    /// <summary>As Katran reads them: a number of 16, 24 or 32 bits behind two bits of version (1, 2, 3).</summary>
    Katran,
}
