namespace Dataplane.Balancing;

/// <summary>What the sender of a packet hears when its service has no backend to take it. The packet is dropped as <c>no_backend</c> in any case.</summary>
public enum NoBackendPolicy
{
    /// <summary>Nothing.</summary>
    Drop = 0,

    /// <summary>A TCP reset (RFC 9293 3.5.2), or for UDP ICMP port unreachable (RFC 1122 4.1.3.1, RFC 4443 3.1).</summary>
    Reject,
}
