namespace Dataplane.Mesh.Relay;

/// <summary>Where a listener learns what a connection was meant for.</summary>
public enum OriginalDestination
{
    /// <summary>From nowhere: it was meant for the listener.</summary>
    None,

    /// <summary>From the kernel's connection tracking, which remembers what nftables or iptables redirected (SO_ORIGINAL_DST).</summary>
    Redirect,

    /// <summary>From the header of the PROXY protocol.</summary>
    Proxy,
}
