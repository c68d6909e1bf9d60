using Dataplane.Packets;
using Dataplane.Switching;

namespace Dataplane.Routing;

/// <summary>The engine's presence on one port and VLAN: hardware address, addresses, MTU. Immutable.</summary>
internal sealed class L3Interface
{
    public required short Index { get; init; }

    public required ushort Port { get; init; }

    public required string PortName { get; init; }

    /// <summary>0: untagged.</summary>
    public required ushort Vlan { get; init; }

    public required MacAddress Mac { get; init; }

    public required int Mtu { get; init; }

    /// <summary>All addresses with their prefixes, the link-local one included.</summary>
    public required IpPrefix[] Addresses { get; init; }

    /// <summary>Sender of what the engine originates over IPv4; none without an IPv4 address.</summary>
    public required IpAddress V4 { get; init; }

    /// <summary>Sender of what the engine originates over IPv6 beyond the link; none without a global address.</summary>
    public required IpAddress V6 { get; init; }

    /// <summary>fe80::/64 with the modified EUI-64 of the hardware address (RFC 4291 2.5.1); none when the interface has no IPv6 address.</summary>
    public required IpAddress LinkLocal { get; init; }

    /// <summary>Addresses for which ARP and neighbour discovery are answered here: the interface's own and the services' within its prefixes.</summary>
    public required HashSet<IpAddress> Answered { get; init; }

    /// <summary>The endpoint behind it; null for an interface of the configuration.</summary>
    public Station? Station { get; private init; }

    /// <summary>The same addresses towards one endpoint of a network.</summary>
    public L3Interface ForStation(Station station, short index, ushort port, int mtu) => new()
    {
        Index = index,
        Port = port,
        PortName = station.Spec.Port,
        Vlan = 0,
        Mac = Mac,
        Mtu = mtu,
        Addresses = Addresses,
        V4 = V4,
        V6 = V6,
        LinkLocal = LinkLocal,
        Answered = Answered,
        Station = station,
    };

    /// <summary>Length of the Ethernet header towards this interface.</summary>
    public int LinkHeaderBytes => Vlan == 0 ? 14 : 18;

    /// <summary>True when the interface has an address of the family.</summary>
    public bool Speaks(byte family) => family == 4 ? V4.IsIpv4 : LinkLocal.IsIpv6;

    /// <summary>The sender's address for a packet to a destination.</summary>
    public IpAddress SourceFor(IpAddress destination)
    {
        if (destination.IsIpv4)
        {
            return V4;
        }

        return destination.IsLinkLocal || V6.IsNone ? LinkLocal : V6;
    }

    public override string ToString() => Vlan == 0 ? PortName : $"{PortName}.{Vlan}";

    /// <summary>The link-local address that belongs to a hardware address.</summary>
    public static IpAddress LinkLocalOf(MacAddress mac)
    {
        ulong bits = mac.Bits;
        ulong identifier = ((bits >> 24) << 40) | 0xFFFE000000 | (bits & 0xFFFFFF);
        return IpAddress.FromV6(0xFE80_0000_0000_0000, identifier ^ 0x0200_0000_0000_0000);
    }
}
