namespace Dataplane.Tunnels;

/// <summary>Ways to put an IP packet into another.</summary>
[Flags]
public enum TunnelKinds
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Directly behind the outer IP header: protocol 4 or 41 (RFC 2003, RFC 2473, RFC 4213).</summary>
    Ipip = 1,

    /// <summary>Behind UDP, without a header of its own: variant 1 of draft-ietf-intarea-gue.</summary>
    Gue = 2,
}
