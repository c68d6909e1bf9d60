using Dataplane.Bridging;

namespace Dataplane.Configuration;

/// <content>Learning bridges.</content>
public sealed partial class SpecReader
{
    private BridgeSpec ReadBridge(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Bridge, _errors);
        var defaults = new BridgeSpec { Name = "" };
        return new BridgeSpec
        {
            Name = map.Text("name", "a name"),
            Ports = [.. map.Items("ports", "each port").Select(item => ReadBridgePort(item.Node, item.Path))],
            Entries = (int)map.Integer("entries", SpecLimits.BridgeEntries, defaults.Entries),
            Ageing = ReadDuration(map, "ageing", SpecLimits.BridgeAgeing) ?? defaults.Ageing,
            Unknown = (int)map.Integer("unknown", SpecLimits.BridgeRate, defaults.Unknown),
            Broadcast = (int)map.Integer("broadcast", SpecLimits.BridgeRate, defaults.Broadcast),
            Multicast = (int)map.Integer("multicast", SpecLimits.BridgeRate, defaults.Multicast),
            Moves = (int)map.Integer("moves", SpecLimits.BridgeRate, defaults.Moves),
        };
    }

    private BridgePortSpec ReadBridgePort(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.BridgePort, _errors);
        return new BridgePortSpec
        {
            Port = map.Text("port", "the name of a port"),
            Isolate = map.Flag("isolate"),
            Horizon = map.Text("horizon"),
            Hosts = (int?)map.OptionalInteger("hosts", SpecLimits.BridgeHosts),
        };
    }
}
