using Dataplane.Bridging;
using Dataplane.Packets;
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

    /// <summary>Has a learning bridge forget addresses: frames to them are flooded, within the limits, until they are heard of again. Any thread; its cost grows with the table.</summary>
    /// <param name="bridge">Name of the bridge.</param>
    /// <param name="port">Those behind this port; null: behind any.</param>
    /// <param name="vlan">Those of this VLAN, 0 for frames without a tag, up to 4095; null: of any.</param>
    /// <param name="mac">This one; null: all.</param>
    /// <returns>How many were forgotten; what had aged without having been swept out counts.</returns>
    /// <exception cref="ArgumentException">There is no such bridge, or it has no such port; or the VLAN is none.</exception>
    /// <exception cref="InvalidOperationException">The engine has not started.</exception>
    public int ForgetBridgeAddresses(string bridge, string? port = null, int? vlan = null, MacAddress? mac = null)
    {
        if (_workers?.Tables is not { } tables)
        {
            throw new InvalidOperationException("The engine has not started: nothing is known yet.");
        }

        LearningBridge found = Array.Find(tables.Learning.Bridges, candidate => candidate.Spec.Name == bridge)
            ?? throw new ArgumentException($"There is no bridge {bridge}; {(tables.Learning.Bridges.Length == 0 ? "there is none" : $"there are {string.Join(", ", tables.Learning.Bridges.Select(each => each.Spec.Name))}")}.", nameof(bridge));
        int place = port is null ? -1 : Array.FindIndex(found.Ports, candidate => candidate.Spec.Port == port);
        if (port is not null && place < 0)
        {
            throw new ArgumentException($"Bridge {bridge} has no port {port}; it has {string.Join(", ", found.Ports.Select(each => each.Spec.Port))}.", nameof(port));
        }

        return vlan is null or (>= 0 and <= 4095) ? found.Table.Forget(place, vlan ?? -1, mac?.Bits ?? 0)
            : throw new ArgumentException($"VLAN {vlan} is not 0 to 4095.", nameof(vlan));
    }

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
