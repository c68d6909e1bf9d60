namespace Dataplane.Nat64;

/// <summary>Which family the hosts of an address mapping speak.</summary>
public enum SiitHosts
{
    /// <summary>IPv6: IPv4 packets to them are translated, and what they send behind the prefix.</summary>
    V6,

    /// <summary>IPv4: IPv6 packets to them are translated, and what they send to IPv4 addresses that no route leads to.</summary>
    V4,
}
