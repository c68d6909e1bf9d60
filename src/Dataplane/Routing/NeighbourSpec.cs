using Dataplane.Packets;

namespace Dataplane.Routing;

/// <summary>A neighbour known from the configuration.</summary>
public sealed record NeighbourSpec
{
    /// <summary>Name of the port.</summary>
    public required string Port { get; init; }

    /// <summary>IPv4 or IPv6 address.</summary>
    public required IpAddress Address { get; init; }

    /// <summary>Hardware address.</summary>
    public required MacAddress Mac { get; init; }

    /// <summary>True: as if learned, so it ages and is asked again. False: static, it stays for ever.</summary>
    public bool Learned { get; init; }

    /// <summary>802.1Q VLAN identifier of the interface, 1 to 4094; 0: untagged.</summary>
    public int Vlan { get; init; }
}
