using System.Net;
using System.Net.Sockets;

namespace Dataplane.Native;

/// <summary>Traffic that an AF_XDP port takes from the kernel, or leaves to it: what is set must match.</summary>
/// <remarks>
/// ARP and neighbour discovery go by the address that is asked for, and only by rules without a protocol: whoever takes an address answers for it.
/// A fragment matches no rule with ports, for only the first has them; a packet with IPv6 extension headers matches none with a protocol behind them.
/// </remarks>
internal sealed record XdpRule
{
    /// <summary>Address of the destination prefix, IPv4 or IPv6; null: any destination.</summary>
    public IPAddress? Address { get; init; }

    /// <summary>Length of the prefix in bits, 0 to 32 or 128.</summary>
    public int PrefixLength { get; init; }

    /// <summary>IP protocol number; null: any.</summary>
    public byte? Protocol { get; init; }

    /// <summary>First destination port (TCP, UDP, SCTP); null: any port, and packets without.</summary>
    public ushort? FirstPort { get; init; }

    /// <summary>Last destination port.</summary>
    public ushort LastPort { get; init; }

    /// <summary>Whether the rule is for one family: 4, 6, or 0 for both.</summary>
    internal int Family => Address?.AddressFamily switch
    {
        null => 0,
        AddressFamily.InterNetwork => 4,
        _ => 6,
    };
}
