using Dataplane.Overlays;
using Dataplane.Packets;

namespace Dataplane.Switching;

/// <summary>A network of endpoints behind the engine: one bridge, whose router the engine itself is.</summary>
/// <remarks>
/// <para>What an endpoint sends to another's hardware address is switched; what it sends to the gateway's is routed, filtered, translated and balanced like
/// everything else. ARP and neighbour discovery are answered from this description and never flooded, and nothing gets in under an address that is not
/// its sender's.</para>
/// <para>Networks do not reach each other unless one names the other in <see cref="Reach"/>. Services lead anywhere but into and out of <see cref="Internal"/> networks.</para>
/// </remarks>
public sealed record NetworkSpec
{
    /// <summary>Name, unique among networks, and not a port's: 1 to 32 letters, digits, <c>-</c>, <c>_</c> or <c>.</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Address ranges, of either family, without bits behind their lengths; they overlap no other network's and no interface's.</summary>
    public IReadOnlyList<IpPrefix> Subnets { get; init; } = [];

    /// <summary>The engine's own address in a subnet, one each at most; a subnet without has its first (see <see cref="GatewayOf"/>).</summary>
    public IReadOnlyList<IpAddress> Gateways { get; init; } = [];

    /// <summary>Hardware address of the gateway; null: one that depends on the name alone (see <see cref="GatewayMac"/>).</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes, 576 to 9000; 1280 or more with an IPv6 subnet.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>Whether the network has no way out and none in: it reaches its own endpoints, the gateway and networks of <see cref="Reach"/> only.</summary>
    public bool Internal { get; init; }

    /// <summary>Whether endpoints do not reach each other directly, but only the gateway and what lies behind it.</summary>
    public bool Isolate { get; init; }

    /// <summary>Names of networks that this one reaches and is reached by; it is enough that one of the two names the other.</summary>
    public IReadOnlyList<string> Reach { get; init; } = [];

    /// <summary>Name servers that endpoints are told of by <see cref="RouterAdvertisements"/> and <see cref="Dhcp"/>; none: the name servers of this configuration
    /// whose addresses are in <see cref="Subnets"/>.</summary>
    public IReadOnlyList<IpAddress> Dns { get; init; } = [];

    /// <summary>Domains in which endpoints look for short names; they are told of them in the same ways.</summary>
    public IReadOnlyList<string> Search { get; init; } = [];

    /// <summary>What the gateway says of itself over IPv6; null: nothing.</summary>
    public RouterAdvertisementSpec? RouterAdvertisements { get; init; }

    /// <summary>How endpoints that ask for their IPv4 address are answered; null: not at all.</summary>
    public DhcpSpec? Dhcp { get; init; }

    /// <summary>How the network goes on behind other hosts; null: it does not.</summary>
    public OverlaySpec? Overlay { get; init; }

    /// <summary>Who is attached.</summary>
    public IReadOnlyList<EndpointSpec> Endpoints { get; init; } = [];

    /// <summary>The hardware address in force: <see cref="Mac"/>, or the one made from the name (02:...).</summary>
    public MacAddress GatewayMac => Mac ?? Ports.DerivedMac.FromName($"network {Name}");

    /// <summary>The engine's address in a subnet of this network: the one that <see cref="Gateways"/> has in it, else the first behind the network's own.</summary>
    public IpAddress GatewayOf(IpPrefix subnet)
    {
        foreach (IpAddress gateway in Gateways)
        {
            if (subnet.Contains(gateway))
            {
                return gateway;
            }
        }

        IpAddress first = subnet.First;
        return first.IsIpv4 ? IpAddress.FromV4((uint)first.Low + 1) : IpAddress.FromV6(first.High, first.Low + 1);
    }
}
