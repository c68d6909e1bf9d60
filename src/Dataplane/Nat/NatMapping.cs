namespace Dataplane.Nat;

/// <summary>What the outside port of a translated source depends on (RFC 4787 4.1).</summary>
public enum NatMapping
{
    /// <summary>On the remote address and port as well: a port outside is good for one flow to each of them.</summary>
    AddressAndPortDependent = 0,

    /// <summary>On the inside address and port alone: they get the same outside address and port towards everybody (RFC 4787 REQ-1, RFC 5382 REQ-1).</summary>
    EndpointIndependent,
}
