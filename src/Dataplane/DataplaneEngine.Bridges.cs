using Dataplane.Bridging;
using Dataplane.Telemetry;

namespace Dataplane;

/// <content>What can be read of learning bridges.</content>
public sealed partial class DataplaneEngine
{
    /// <summary>The learning bridges, in the order of the configuration. Any thread.</summary>
    public IReadOnlyList<BridgeStatus> ReadBridges() => _workers?.Tables is not { } tables ? [] : [.. tables.Learning.Bridges.Select(bridge =>
        new BridgeStatus(bridge.Spec.Name, bridge.Table.Capacity, [.. bridge.Ports.Select(Describe)]))];

    /// <summary>The hardware addresses that bridges know, by bridge and, within one, by VLAN and address. Any thread; its cost grows with the tables.</summary>
    public IReadOnlyList<BridgeAddress> ReadBridgeAddresses() => _workers is not { Tables: { } tables } workers ? [] : [.. tables.Learning.Bridges.SelectMany(bridge =>
        bridge.Table.Read(workers[0].NowNs).Select(known => new BridgeAddress(bridge.Spec.Name, known.Mac, known.Vlan, bridge.Ports[known.Port].Spec.Port, known.AgeSeconds))
            .OrderBy(known => known.Vlan).ThenBy(known => known.Mac.Bits))];

    private static BridgePortStatus Describe(BridgePort port)
    {
        BridgePortCounters counters = port.Counters;
        return new BridgePortStatus(port.Spec.Port, port.Bridge.Table.CountOf(port.Index))
        {
            Frames = Volatile.Read(ref counters.Frames),
            Bytes = Volatile.Read(ref counters.Bytes),
            Learnt = Volatile.Read(ref counters.Learnt),
            Unlearnt = Volatile.Read(ref counters.Unlearnt),
            Moves = Volatile.Read(ref counters.Moves),
            MovesRefused = Volatile.Read(ref counters.MovesRefused),
            FloodedUnknown = Volatile.Read(ref counters.Flooded[(int)FloodKind.Unknown]),
            FloodedBroadcast = Volatile.Read(ref counters.Flooded[(int)FloodKind.Broadcast]),
            FloodedMulticast = Volatile.Read(ref counters.Flooded[(int)FloodKind.Multicast]),
            LimitedUnknown = Volatile.Read(ref counters.Limited[(int)FloodKind.Unknown]),
            LimitedBroadcast = Volatile.Read(ref counters.Limited[(int)FloodKind.Broadcast]),
            LimitedMulticast = Volatile.Read(ref counters.Limited[(int)FloodKind.Multicast]),
        };
    }
}
