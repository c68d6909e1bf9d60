using System.Runtime.InteropServices;

namespace Dataplane.Packets;

/// <summary>Where a packet's headers are and what the parser found in them; offsets in bytes from the start of the frame.</summary>
/// <remarks>20 bytes: three packets share a cache line.</remarks>
[StructLayout(LayoutKind.Sequential, Size = 20)]
public struct PacketHeaders
{
    /// <summary>EtherType behind any VLAN tags and SNAP header; 0x05FF for an IEEE 802.2 frame without one.</summary>
    public ushort EtherType;

    /// <summary>Offset of the network header.</summary>
    public ushort NetworkOffset;

    /// <summary>Offset of the transport header; for IPv6 behind the extension headers. 0 when there is none in this frame.</summary>
    public ushort TransportOffset;

    /// <summary>Offset just behind the IP packet; what follows in the frame is padding.</summary>
    public ushort EndOffset;

    /// <summary>VLAN identifier of the outer tag, 0 when untagged or priority-tagged.</summary>
    public ushort VlanId;

    /// <summary>IP protocol number of the transport header, behind any extension headers.</summary>
    public byte Protocol;

    /// <summary>TCP flags byte (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32); 0 for other protocols.</summary>
    public byte TcpFlags;

    /// <summary>TTL or hop limit.</summary>
    public byte Ttl;

    /// <summary>Type of service or traffic class.</summary>
    public byte Tos;

    /// <summary>Which part of the packet this is.</summary>
    public FragmentKind Fragment;

    /// <summary>4, 6, or 0 when not IP.</summary>
    public byte IpVersion;

    /// <summary>Number of VLAN tags.</summary>
    public byte VlanTags;
}
