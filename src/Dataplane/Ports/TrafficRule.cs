using System.Net;
using Dataplane.Filtering;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Traffic that a port takes from the kernel, or leaves to it; what is set must match.</summary>
/// <remarks>
/// ARP and neighbour discovery go by the address that is asked for, and only by rules without a protocol: whoever takes an address answers for it.
/// Fragments match no rule with ports, and packets with IPv6 extension headers none with a protocol that comes behind them.
/// </remarks>
public sealed record TrafficRule
{
    /// <summary>Destination prefix; null: any, of both families.</summary>
    public IpPrefix? To { get; init; }

    /// <summary>IP protocol number; null: any. Files take tcp, udp, icmp, icmpv6 or a number.</summary>
    public byte? Protocol { get; init; }

    /// <summary>Destination port range; null: any. Needs protocol TCP or UDP.</summary>
    public PortRange? ToPort { get; init; }

    internal XdpRule ToXdp()
    {
        IPAddress? address = null;
        if (To is { } prefix)
        {
            Span<byte> bytes = stackalloc byte[IpAddress.V6LengthBytes];
            address = new IPAddress(bytes[..prefix.Address.Write(bytes)]);
        }

        return new XdpRule
        {
            Address = address,
            PrefixLength = To?.Length ?? 0,
            Protocol = Protocol,
            FirstPort = ToPort?.First,
            LastPort = ToPort?.Last ?? 0,
        };
    }
}
