namespace Dataplane.Packets;

/// <summary>EtherType values (IEEE 802 numbers registry), host order.</summary>
public static class EtherTypes
{
    /// <summary>IPv4 (RFC 894).</summary>
    public const ushort Ipv4 = 0x0800;

    /// <summary>ARP (RFC 826).</summary>
    public const ushort Arp = 0x0806;

    /// <summary>An IEEE 802.1Q customer VLAN tag.</summary>
    public const ushort Vlan = 0x8100;

    /// <summary>An IEEE 802.1ad service VLAN tag (QinQ).</summary>
    public const ushort ServiceVlan = 0x88A8;

    /// <summary>IPv6 (RFC 2464).</summary>
    public const ushort Ipv6 = 0x86DD;

    /// <summary>Not on the wire: stands for an IEEE 802.2 frame whose LLC header names no EtherType.</summary>
    public const ushort None = 0x05FF;

    /// <summary>The smallest EtherType; a smaller value in the field is the length of an IEEE 802.3 frame (IEEE 802.3, 3.2.6).</summary>
    public const ushort Minimum = 0x0600;

    /// <summary>Whether the value announces a VLAN tag: 802.1Q or 802.1ad.</summary>
    public static bool IsVlan(ushort etherType) => etherType is Vlan or ServiceVlan;
}
