namespace Dataplane.Nat;

/// <summary>Who outside may send to a mapped port (RFC 4787 5, RFC 5382 4.3).</summary>
public enum NatFiltering
{
    /// <summary>The addresses and ports that the inside host has sent to from that port.</summary>
    AddressAndPortDependent = 0,

    /// <summary>The addresses that it has sent to, from any port.</summary>
    AddressDependent,

    /// <summary>Everybody, while the mapping lives.</summary>
    EndpointIndependent,
}
