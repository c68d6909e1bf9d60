namespace Dataplane.Packets;

/// <summary>EtherTypes the engine knows (IEEE 802 numbers).</summary>
internal static class EtherTypes
{
    public const ushort Ipv4 = 0x0800;
    public const ushort Arp = 0x0806;
    public const ushort Vlan = 0x8100;
    public const ushort ServiceVlan = 0x88A8;
    public const ushort Ipv6 = 0x86DD;

    /// <summary>Stands for an IEEE 802.2 frame without an EtherType; no real EtherType is below 0x0600.</summary>
    public const ushort Ieee8022 = 0x05FF;
}
