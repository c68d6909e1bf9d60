namespace Dataplane.Packets;

/// <summary>Why the walk along IPv6 extension headers could not reach the upper layer.</summary>
public enum Ipv6ExtensionError : byte
{
    /// <summary>It could.</summary>
    None = 0,

    /// <summary>The packet ends inside an extension header.</summary>
    Truncated,

    /// <summary>More than <see cref="Ipv6ExtensionWalker.MaxHeaders"/> extension headers.</summary>
    TooManyHeaders,

    /// <summary>Hop-by-hop options anywhere but directly behind the IPv6 header (RFC 8200, 4.1).</summary>
    HopByHopNotFirst,

    /// <summary>An authentication header shorter than its fixed part (RFC 4302, 2.2).</summary>
    BadHeaderLength,

    /// <summary>A second fragment header: fragments of fragments are how filters are evaded, and no sender makes them.</summary>
    RepeatedFragmentHeader,
}
