namespace Dataplane.Balancing;

/// <summary>What of a packet is hashed to choose a backend.</summary>
public enum HashFields
{
    /// <summary>Addresses, ports and protocol: each flow by itself.</summary>
    Flow = 0,

    /// <summary>The client's address: all flows of a client go to one backend.</summary>
    Source,

    /// <summary>The client's address, the address it asks for and the protocol: of use to services of a prefix.</summary>
    SourceDestination,
}
