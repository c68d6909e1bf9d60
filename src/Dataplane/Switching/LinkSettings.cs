using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Switching.Dhcp;

namespace Dataplane.Switching;

/// <summary>What endpoints are told of their network when they ask, ready to be sent. Immutable.</summary>
internal sealed class LinkSettings
{
    private readonly DhcpOffer[] _offers;

    private LinkSettings(byte[]? advertisement, DhcpOffer[] offers)
    {
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
            network.Dhcp is null ? [] : [.. network.Subnets.Where(subnet => subnet.Address.IsIpv4).Select(subnet => DhcpOffer.Compile(network, subnet, names))]);
    }

    /// <summary>The name servers that endpoints are told of: those of the network, else those of this configuration that are in its subnets.</summary>
    public static IReadOnlyList<IpAddress> NameServersOf(NetworkSpec network, IReadOnlyList<NameServerSpec> servers) => network.Dns.Count > 0 ? network.Dns
        : [.. servers.SelectMany(server => server.Addresses).Where(address => network.Subnets.Any(subnet => subnet.Contains(address))).Distinct()];

    /// <summary>What the endpoint that has an IPv4 address is offered; null without DHCP.</summary>
    public DhcpOffer? OfferFor(IpAddress address) => Array.Find(_offers, offer => offer.Subnet.Contains(address));
}
