using Dataplane.Bridging;

namespace Dataplane.Configuration;

/// <content>Learning bridges.</content>
public static partial class SpecWriter
{
    private static ConfigNode Bridge(BridgeSpec bridge)
    {
        var defaults = new BridgeSpec { Name = "" };
        var map = new MappingWriter();
        map.Text("name", bridge.Name);
        map.List("ports", bridge.Ports, BridgePort);
        map.Number("entries", bridge.Entries, defaults.Entries);
        map.Duration("ageing", bridge.Ageing, defaults.Ageing);
        map.Number("unknown", bridge.Unknown, defaults.Unknown);
        map.Number("broadcast", bridge.Broadcast, defaults.Broadcast);
        map.Number("multicast", bridge.Multicast, defaults.Multicast);
        map.Number("moves", bridge.Moves, defaults.Moves);
        return map.ToNode();
    }

    private static ConfigNode BridgePort(BridgePortSpec port)
    {
        var map = new MappingWriter();
        map.Text("port", port.Port);
        map.Flag("isolate", port.Isolate);
        map.Text("horizon", port.Horizon);
        map.Optional("hosts", port.Hosts);
        return map.ToNode();
    }
}
