using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>What a service is to clients, whatever its name: addresses, ports and protocol.</summary>
/// <param name="Address">Its address, or the first of its prefix.</param>
/// <param name="PrefixLength">Length of the prefix; 0 for one address.</param>
/// <param name="Port">Its port, or the first.</param>
/// <param name="LastPort">The last port; 0 for one port.</param>
/// <param name="Protocol">6 or 17.</param>
internal readonly record struct ServiceKey(IpAddress Address, byte PrefixLength, ushort Port, ushort LastPort, byte Protocol)
{
    public static ServiceKey Of(ServiceSpec spec) => new(spec.Address, spec.IsOneAddress ? (byte)0 : (byte)spec.PrefixLength!.Value, spec.Port,
        spec.IsOnePort ? (ushort)0 : spec.LastPort, spec.Protocol);

    public static ServiceKey Of(BackendSlots.Identity backend) =>
        new(backend.Service, backend.ServicePrefix, backend.ServicePort, backend.ServiceLastPort, backend.Protocol);

    /// <summary>The ports of it.</summary>
    public Filtering.PortRange Ports => new(Port, Math.Max(Port, LastPort));
}
