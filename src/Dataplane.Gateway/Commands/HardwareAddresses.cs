using Dataplane.Native;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Commands;

/// <summary>The hardware addresses of ports that are not opened: explain and replay must give a port the same one.</summary>
internal static class HardwareAddresses
{
    /// <summary>Gives ports without a hardware address that of their interface, if this machine has it; the others derive theirs from their names.</summary>
    public static DataplaneSpec Complete(DataplaneSpec spec) => spec with
    {
        Ports = [.. spec.Ports.Select(port => port with { Mac = port.Mac ?? OfInterface(port) })],
    };

    /// <summary>What to do about a port to which all packets are for other stations.</summary>
    public static string Remedy(DataplaneSpec spec, string port)
    {
        MacAddress? ofPort = spec.Ports.First(known => known.Name == port).Mac;
        string own = string.Join(", ", spec.Interfaces.Where(entry => entry.Port == port).Select(entry => entry.Mac ?? ofPort).OfType<MacAddress>().Distinct());
        return own.Length > 0
            ? $"port {port} listens to {own}"
            : $"give port {port} the hardware address that packets are sent to (ports: {port}: mac)";
    }

    private static MacAddress? OfInterface(PortSpec port)
    {
        if (port.Interface.Length == 0 || !OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            using InterfaceControl control = InterfaceControl.Open();
            return control.TryRead(port.Interface) is { HardwareAddress: not 0 } found ? new MacAddress(found.HardwareAddress) : null;
        }
        catch (LinuxException)
        {
            return null;
        }
    }
}
