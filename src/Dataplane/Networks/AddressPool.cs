using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>One range of addresses that a network's endpoints are given theirs from.</summary>
/// <remarks>Never given out are the gateway, what is reserved, the network's own address, the broadcast address of an IPv4 subnet, and the all-routers anycast
/// address of an IPv6 one (RFC 4291, section 2.6.1), which is the network's own address too.</remarks>
public sealed record AddressPool
{
    /// <summary>The subnet, without bits behind its length; 2 host bits at least.</summary>
    public required IpPrefix Subnet { get; init; }

    /// <summary>The part of the subnet that is given out when no address is asked for; null: all of it.</summary>
    public IpPrefix? Range { get; init; }

    /// <summary>The gateway; none: the subnet's first host.</summary>
    public IpAddress Gateway { get; init; }

    /// <summary>Addresses of the subnet that others have: given to nobody.</summary>
    public IReadOnlyList<IpAddress> Reserved { get; init; } = [];

    /// <summary>The gateway in force.</summary>
    public IpAddress GatewayInForce => Gateway.IsNone ? IpAddress.FromBits(Subnet.Family, Subnet.First.Bits + 1) : Gateway;

    /// <summary>Whether an endpoint may have the address, whoever has it now.</summary>
    public bool CanGive(IpAddress address) =>
        Subnet.Contains(address) && address != Subnet.First && !(Subnet.Family == IpFamily.V4 && address == Subnet.Last)
        && address != GatewayInForce && !Reserved.Contains(address);
}
