using Dataplane.Ports;

namespace Dataplane.Gateway.Commands;

/// <summary>Engines that decide as a configuration says, but touch nothing: every port is in memory.</summary>
internal static class OfflineEngine
{
    /// <summary>Makes and starts an engine without a worker thread, for explaining.</summary>
    public static DataplaneEngine Start(DataplaneSpec spec)
    {
        var engine = new DataplaneEngine(SpecOf(spec));
        engine.StartManual();
        return engine;
    }

    /// <summary>The same configuration with every port in memory, and small tables.</summary>
    public static DataplaneSpec SpecOf(DataplaneSpec spec) => spec with
    {
        Ports = [.. HardwareAddresses.Complete(spec).Ports.Select(InMemory)],

        // Nothing is forwarded, so that a table of millions of flows would be made for nothing. Choices by chance are those of a replay.
        Workers = spec.Workers with { FlowEntries = 1024, Cpu = null, Pin = [], Count = 1, Seed = spec.Workers.Seed ?? 0 },
    };

    private static PortSpec InMemory(PortSpec port)
    {
        if (port.Kind == PortKind.Vxlan)
        {
            // It touches nothing but the packets of other ports.
            return port;
        }

        int mtu = port.Mtu ?? 1500;
        var options = new MemoryPortOptions { Mac = port.Mac, Mtu = mtu, RingSlots = 2, SlotBytes = mtu > 1500 ? 16_384 : 2048 };
        return port with { Kind = PortKind.Memory, Factory = new MemoryPort(options) };
    }
}
