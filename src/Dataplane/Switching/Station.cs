using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Routing;
using Dataplane.Switching.Dhcp;

namespace Dataplane.Switching;

/// <summary>An endpoint in force: what its frames may say of their sender, and the interface that leads to it. Immutable but for its counters.</summary>
internal sealed class Station
{
    private readonly uint[] _v4;
    private readonly ulong[] _v6;

    /// <param name="spec">The endpoint.</param>
    /// <param name="network">Its network.</param>
    /// <param name="before">The same one in the tables before, of which is taken over what has not changed; null: it is new.</param>
    public Station(EndpointSpec spec, Bridge network, Station? before = null)
    {
        Spec = spec;
        Network = network;
        Mac = spec.Mac.Bits;
        OfferedAddresses6 = network.Settings.Offer6 is null ? [] : [.. spec.Addresses.Where(address => address.IsIpv6)];
        if (before is not null && ReferenceEquals(before.Spec, spec) && before.HasSameAddressesIn(network.Spec))
        {
            (Addresses, OfferedAddress, _v4, _v6) = (before.Addresses, before.OfferedAddress, before._v4, before._v6);
            Offer = OfferedAddress == 0 ? null : network.Settings.OfferFor(Array.Find(Addresses, address => address.IsIpv4));
            return;
        }

        _v4 = [.. spec.Addresses.Where(address => address.IsIpv4).Select(address => (uint)address.Low)];
        Addresses = [.. AddressesOf(network.Spec, spec.Mac, spec.Addresses)];
        IpAddress offered = Array.Find(Addresses, address => address.IsIpv4);
        OfferedAddress = (uint)offered.Low;
        Offer = offered.IsNone ? null : network.Settings.OfferFor(offered);
        _v6 = [.. Addresses.Where(address => address.IsIpv6).SelectMany(address => new[] { address.High, address.Low })];
    }

    public EndpointSpec Spec { get; }

    public Bridge Network { get; }

    /// <summary>Its hardware address.</summary>
    public ulong Mac { get; }

    /// <summary>Its addresses; the link-local one too in a network that speaks IPv6.</summary>
    public IpAddress[] Addresses { get; }

    /// <summary>The engine's side of the link to it. Set once, when the tables are made.</summary>
    public L3Interface Interface { get; set; } = null!;

    /// <summary>What passed and what did not; kept when the tables are made anew.</summary>
    public required StationCounters Counters { get; init; }

    /// <summary>What it may send; null: as much as there is.</summary>
    public RateLimiter? SendLimit { get; init; }

    /// <summary>What it may receive.</summary>
    public RateLimiter? ReceiveLimit { get; init; }

    /// <summary>What it is told by DHCP, if it asks; null: nothing.</summary>
    public DhcpOffer? Offer { get; }

    /// <summary>The address that it is given with <see cref="Offer"/>.</summary>
    public uint OfferedAddress { get; }

    /// <summary>The addresses that it is told by DHCPv6, if its network answers that.</summary>
    public IpAddress[] OfferedAddresses6 { get; }

    /// <summary>How often it may ask; with <see cref="Offer"/>.</summary>
    public TokenBucket? DhcpLimit { get; init; }

    /// <summary>When it hears of its router; null: never.</summary>
    public AdvertisementTimer? Advertisements { get; init; }

    /// <summary>For an endpoint at another host: the number of the peer it is behind; -1 for one that is attached here.</summary>
    public short Peer { get; init; } = -1;

    /// <summary>Whether it stands for all endpoints of its network that are attached at other hosts.</summary>
    public bool IsTrunk { get; init; }

    /// <summary>All addresses of a station: those given, the link-local one in a network that speaks IPv6, and those it makes itself where it is told to (RFC 4862).</summary>
    public static IEnumerable<IpAddress> AddressesOf(NetworkSpec network, MacAddress mac, IReadOnlyList<IpAddress> given)
    {
        IpPrefix[] subnets = [.. network.Subnets.Where(subnet => subnet.Address.IsIpv6)];
        IEnumerable<IpAddress> made = network.RouterAdvertisements is { Autonomous: true } ? subnets.Select(subnet => AutonomousOf(subnet, mac)) : [];
        return [.. given.Concat(subnets.Length > 0 ? [L3Interface.LinkLocalOf(mac)] : []).Concat(made).Distinct()];
    }

    /// <summary>The address that a station makes for itself: the subnet's /64 and the modified EUI-64 of its hardware address (RFC 2464 4).</summary>
    public static IpAddress AutonomousOf(IpPrefix subnet, MacAddress mac) => IpAddress.FromV6(subnet.Address.High, L3Interface.LinkLocalOf(mac).Low);

    /// <summary>Whether it has the same addresses in a network as in its own.</summary>
    private bool HasSameAddressesIn(NetworkSpec network) =>
        Network.Spec.RouterAdvertisements == network.RouterAdvertisements && Network.Spec.Subnets.SequenceEqual(network.Subnets);

    public bool HasV4(uint address) => Array.IndexOf(_v4, address) >= 0;

    public bool HasV6(ulong high, ulong low)
    {
        ulong[] own = _v6;
        for (int i = 0; i + 1 < own.Length; i += 2)
        {
            if (own[i + 1] == low && own[i] == high)
            {
                return true;
            }
        }

        return false;
    }

    public bool Has(IpAddress address) => address.IsIpv4 ? HasV4((uint)address.Low) : HasV6(address.High, address.Low);

    public override string ToString() => $"{Network.Spec.Name}/{Spec.Name}";
}
