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

    public static string EndPoint(IpAddress address, ushort port) => address.IsIpv6 ? $"[{address}]:{port}" : $"{address}:{port}";
}
