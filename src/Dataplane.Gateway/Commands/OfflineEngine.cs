using Dataplane.Native;
using Dataplane.Ports;

namespace Dataplane.Gateway.Commands;

/// <summary>Engines that decide as a configuration says, but touch nothing: every port is in memory.</summary>
internal static class OfflineEngine
{
    /// <summary>Makes and starts an engine without a worker thread, for explaining.</summary>
    public static DataplaneEngine Start(DataplaneSpec spec)
    {
        var engine = new DataplaneEngine(spec with
        {
            Ports = [.. spec.Ports.Select(InMemory)],

            // Nothing is forwarded, so that a table of millions of flows would be made for nothing.
            Workers = spec.Workers with { FlowEntries = 1024, Cpu = null },
        });
        engine.StartManual();
        return engine;
    }

    private static PortSpec InMemory(PortSpec port)
    {
        const int LargestMtu = 9000;
        int mtu = port.Mtu ?? 1500;
        var options = new MemoryPortOptions { Mac = port.Mac ?? MacOf(port), Mtu = mtu, RingSlots = 2, SlotBytes = mtu > 1500 ? 16_384 : 2048 };
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mtu, LargestMtu);
        return port with { Kind = PortKind.Memory, Factory = new MemoryPort(options) };
    }

    /// <summary>The hardware address of the interface, if this machine has one of the name; else the port derives one from its own name.</summary>
    private static Packets.MacAddress? MacOf(PortSpec port)
    {
        if (port.Interface.Length == 0 || !OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            using InterfaceControl control = InterfaceControl.Open();
            return control.TryRead(port.Interface) is { HardwareAddress: not 0 } found ? new Packets.MacAddress(found.HardwareAddress) : null;
        }
        catch (LinuxException)
        {
            return null;
        }
    }
}
