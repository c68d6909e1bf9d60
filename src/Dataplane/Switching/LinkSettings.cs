using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Switching.Dhcp;

namespace Dataplane.Switching;

/// <summary>What endpoints are told of their network when they ask, ready to be sent. Immutable.</summary>
internal sealed class LinkSettings
{
    private readonly DhcpOffer[] _offers;

    private LinkSettings(byte[]? advertisement, DhcpOffer[] offers, Dhcpv6Offer? offer6)
    {
        Offer6 = offer6;
        Advertisement = advertisement;
        _offers = offers;
    }

    /// <summary>The router advertisement but for its checksum; null: none is sent.</summary>
    public byte[]? Advertisement { get; }

    public static LinkSettings Compile(NetworkSpec network, IReadOnlyList<NameServerSpec> servers)
    {
        IReadOnlyList<IpAddress> names = NameServersOf(network, servers);
        return new LinkSettings(
            network.RouterAdvertisements is null ? null : RouterAdvertisementMessage.Build(network, names),
            network.Dhcp is null ? [] : [.. network.Subnets.Where(subnet => subnet.Address.IsIpv4).Select(subnet => DhcpOffer.Compile(network, subnet, names))],
            AnswersDhcpv6(network) ? Dhcpv6Offer.Compile(network, names) : null);
    }

    /// <summary>What endpoints are told by DHCPv6; null: they are not answered.</summary>
    public Dhcpv6Offer? Offer6 { get; }

    /// <summary>Whether endpoints of a network that ask by DHCPv6 are answered.</summary>
    public static bool AnswersDhcpv6(NetworkSpec network) => network.Dhcp is not null && network.Subnets.Any(subnet => subnet.Address.IsIpv6);

    /// <summary>The name servers that endpoints are told of: those of the network, else those of this configuration that are in its subnets.</summary>
    public static IReadOnlyList<IpAddress> NameServersOf(NetworkSpec network, IReadOnlyList<NameServerSpec> servers) => network.Dns.Count > 0 ? network.Dns
        : [.. servers.SelectMany(server => server.Addresses).Where(address => network.Subnets.Any(subnet => subnet.Contains(address))).Distinct()];

    /// <summary>What the endpoint that has an IPv4 address is offered; null without DHCP.</summary>
    public DhcpOffer? OfferFor(IpAddress address) => Array.Find(_offers, offer => offer.Subnet.Contains(address));
}
