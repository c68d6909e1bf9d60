using System.Diagnostics.Metrics;
using Dataplane.Telemetry;

namespace Dataplane.Hosting.Metrics;

/// <content>Learning bridges.</content>
internal static partial class EngineMetrics
{
    private const string BridgeName = "dataplane.bridge";
    private const string FloodName = "dataplane.bridge.flood";

    private static IEnumerable<EngineMetric> Bridges() =>
    [
        new("dataplane.bridge.address.count", MetricKind.UpDownCounter, "{address}", "Hardware addresses that a bridge knows behind a port.",
            reading => PerBridgePort(reading, port => port.Addresses)),
        new("dataplane.bridge.learnt", MetricKind.Counter, "{address}", "Hardware addresses that were new behind a port of a bridge.", reading => PerBridgePort(reading, port => port.Learnt)),
        new("dataplane.bridge.unlearnt", MetricKind.Counter, "{packet}", "Frames by a port of a bridge from addresses for which there was no room.",
            reading => PerBridgePort(reading, port => port.Unlearnt)),
        new("dataplane.bridge.move.count", MetricKind.Counter, "{address}", "Hardware addresses that came to a port of a bridge from another.", reading => PerBridgePort(reading, port => port.Moves)),
        new("dataplane.bridge.move.refused", MetricKind.Counter, "{packet}", "Frames dropped because too many addresses came to their port from others.",
            reading => PerBridgePort(reading, port => port.MovesRefused)),
        new("dataplane.bridge.flooded", MetricKind.Counter, "{packet}", "Frames that left a bridge by all ports that theirs reaches, by what they were.",
            reading => PerFlood(reading, port => (port.FloodedUnknown, port.FloodedBroadcast, port.FloodedMulticast))),
        new("dataplane.bridge.limited", MetricKind.Counter, "{packet}", "Frames that would have, and were beyond the limit of their port.",
            reading => PerFlood(reading, port => (port.LimitedUnknown, port.LimitedBroadcast, port.LimitedMulticast))),
    ];

    private static IEnumerable<Measurement<long>> PerBridgePort(EngineReading reading, Func<BridgePortStatus, long> read) =>
        from bridge in reading.Bridges
        from port in bridge.Ports
        select Of(read(port), (BridgeName, bridge.Name), (Interface, port.Port));

    private static IEnumerable<Measurement<long>> PerFlood(EngineReading reading, Func<BridgePortStatus, (long Unknown, long Broadcast, long Multicast)> read)
    {
        foreach (BridgeStatus bridge in reading.Bridges)
        {
            foreach (BridgePortStatus port in bridge.Ports)
            {
                (long unknown, long broadcast, long multicast) = read(port);
                yield return Of(unknown, (BridgeName, bridge.Name), (Interface, port.Port), (FloodName, "unknown"));
                yield return Of(broadcast, (BridgeName, bridge.Name), (Interface, port.Port), (FloodName, "broadcast"));
                yield return Of(multicast, (BridgeName, bridge.Name), (Interface, port.Port), (FloodName, "multicast"));
            }
        }
    }
}
