using Dataplane.Nat64;

namespace Dataplane.Configuration;

/// <content>Stateless translation between the families.</content>
public static partial class SpecWriter
{
    private static ConfigNode Siit(SiitSpec spec)
    {
        var map = new MappingWriter();
        map.Value("prefix", spec.Prefix);
        map.List("mappings", spec.Mappings, SiitMapping);
        map.Values("router_addresses", spec.RouterAddresses);
        map.Flag("drop_udp_without_checksum", spec.DropUdpWithoutChecksum);
        return map.ToNode();
    }

    private static ConfigNode SiitMapping(SiitMappingSpec mapping)
    {
        var map = new MappingWriter();
        map.Value("v4", mapping.V4);
        map.Value("v6", mapping.V6);
        map.Word("hosts", mapping.Hosts, SpecNames.SiitHosts, SiitHosts.V6);
        return map.ToNode();
    }
}
