namespace Dataplane.Packets;

/// <summary>IP protocol and IPv6 next-header numbers (IANA protocol-numbers registry).</summary>
public static class IpProtocols
{
    /// <summary>IPv6 hop-by-hop options (RFC 8200, 4.3); only directly behind the IPv6 header.</summary>
    public const byte HopByHop = 0;

    /// <summary>ICMP for IPv4 (RFC 792).</summary>
    public const byte Icmp = 1;

    /// <summary>IPv4 inside IP (RFC 2003).</summary>
    public const byte Ipv4 = 4;

    /// <summary>TCP (RFC 9293).</summary>
    public const byte Tcp = 6;

    /// <summary>UDP (RFC 768).</summary>
    public const byte Udp = 17;

    /// <summary>IPv6 inside IP (RFC 2473).</summary>
    public const byte Ipv6 = 41;

    /// <summary>IPv6 routing header (RFC 8200, 4.4).</summary>
    public const byte Routing = 43;

    /// <summary>IPv6 fragment header (RFC 8200, 4.5).</summary>
    public const byte Fragment = 44;

    /// <summary>GRE (RFC 2784).</summary>
    public const byte Gre = 47;

    /// <summary>IPsec ESP (RFC 4303); nothing behind it can be read.</summary>
    public const byte Esp = 50;

    /// <summary>IPsec authentication header (RFC 4302).</summary>
    public const byte Authentication = 51;

    /// <summary>ICMP for IPv6 (RFC 4443).</summary>
    public const byte Icmpv6 = 58;

    /// <summary>Nothing follows (RFC 8200, 4.7).</summary>
    public const byte NoNextHeader = 59;

    /// <summary>IPv6 destination options (RFC 8200, 4.6).</summary>
    public const byte DestinationOptions = 60;

    /// <summary>SCTP (RFC 9260).</summary>
    public const byte Sctp = 132;

    /// <summary>Whether an IPv6 node walks past this header to find the upper layer.</summary>
    public static bool IsIpv6Extension(byte protocol) => protocol is HopByHop or Routing or Fragment or Authentication or DestinationOptions;
}
