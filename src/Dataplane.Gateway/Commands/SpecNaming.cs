using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Commands;

/// <summary>Words of the configuration for values of the model.</summary>
internal static class SpecNaming
{
    public static string Kind(PortKind kind) => kind switch
    {
        PortKind.AfPacket => "af_packet",
        PortKind.AfXdp => "af_xdp",
        _ => kind.ToString().ToLowerInvariant(),
    };

    public static string Policy(BalancePolicy policy) => policy switch
    {
        BalancePolicy.RoundRobin => "round_robin",
        _ => policy.ToString().ToLowerInvariant(),
    };

    public static string Protocol(byte protocol) => protocol switch { 1 => "icmp", 6 => "tcp", 17 => "udp", 58 => "icmpv6", _ => $"protocol {protocol}" };

    /// <summary>Address or prefix, and ports, of a service.</summary>
    public static string EndPoint(ServiceSpec service)
    {
        string address = service.PrefixLength is null ? service.Address.ToString() : service.Prefix.ToString();
        string ports = service is { Port: 0, LastPort: ushort.MaxValue } ? "any" : service.Ports.ToString();
        return service.Address.IsIpv6 ? $"[{address}]:{ports}" : $"{address}:{ports}";
    }

    public static string EndPoint(IpAddress address, ushort port) => address.IsIpv6 ? $"[{address}]:{port}" : $"{address}:{port}";
}
