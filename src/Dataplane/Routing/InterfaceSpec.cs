using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>An address of the engine on a port; the prefix around it becomes a connected route.</summary>
public sealed record InterfaceSpec
{
    /// <summary>Name of the port.</summary>
    public required string Port { get; init; }

    /// <summary>Address with prefix length, such as <c>198.51.100.2/24</c> (host bits are the address).</summary>
    public required IpPrefix Address { get; init; }

    /// <summary>Hardware address; null: the port's.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>802.1Q VLAN identifier, 1 to 4094; 0: untagged.</summary>
    public int Vlan { get; init; }
}
