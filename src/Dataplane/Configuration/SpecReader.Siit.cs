using Dataplane.Nat64;

namespace Dataplane.Configuration;

/// <content>Stateless translation between the families.</content>
public sealed partial class SpecReader
{
    private SiitSpec ReadSiit(ConfigNode node)
    {
        MappingReader map = MappingReader.Open(node, "siit", ConfigKeys.Siit, _errors);
        return new SiitSpec
        {
            Prefix = map.Prefix("prefix", "an IPv6 prefix"),
            Mappings = [.. map.Items("mappings", "each mapping").Select(item => ReadSiitMapping(item.Node, item.Path))],
            RouterAddresses = [.. map.Items("router_addresses", "each address").Select(item => ReadListedAddress(item.Node, item.Path))],
            DropUdpWithoutChecksum = map.Flag("drop_udp_without_checksum"),
        };
    }

    private SiitMappingSpec ReadSiitMapping(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.SiitMapping, _errors);
        return new SiitMappingSpec
        {
            V4 = map.AddressOrPrefix("v4"),
            V6 = map.AddressOrPrefix("v6"),
            Hosts = map.Choice("hosts", SpecNames.SiitHosts) ?? SiitHosts.V6,
        };
    }
}
