using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataplane.Packets;

/// <summary>Where a packet's headers are and what the parser found in them; offsets in bytes from the start of the frame.</summary>
/// <remarks>20 bytes: three packets share a cache line.</remarks>
[StructLayout(LayoutKind.Explicit, Size = 20)]
public struct PacketHeaders
{
    /// <summary>EtherType behind any VLAN tags and SNAP header; 0x05FF for an IEEE 802.2 frame without one.</summary>
    [FieldOffset(0)]
    public ushort EtherType;

    /// <summary>Offset of the network header.</summary>
    [FieldOffset(2)]
    public ushort NetworkOffset;

    /// <summary>Offset of the transport header; for IPv6 behind the extension headers. 0 when there is none in this frame.</summary>
    [FieldOffset(4)]
    public ushort TransportOffset;

    /// <summary>Offset just behind the IP packet; what follows in the frame is padding.</summary>
    [FieldOffset(6)]
    public ushort EndOffset;

    /// <summary>VLAN identifier of the outer tag, 0 when untagged or priority-tagged.</summary>
    [FieldOffset(8)]
    public ushort VlanId;

    /// <summary>TTL or hop limit.</summary>
    [FieldOffset(10)]
    public byte Ttl;

    /// <summary>IP protocol number of the transport header, behind any extension headers.</summary>
    [FieldOffset(11)]
    public byte Protocol;

    /// <summary>TCP flags byte (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32); 0 for other protocols.</summary>
    [FieldOffset(12)]
    public byte TcpFlags;

    /// <summary>Type of service or traffic class.</summary>
    [FieldOffset(13)]
    public byte Tos;

    /// <summary>Which part of the packet this is.</summary>
    [FieldOffset(14)]
    public FragmentKind Fragment;

    /// <summary>4, 6, or 0 when not IP.</summary>
    [FieldOffset(15)]
    public byte IpVersion;

    /// <summary>Number of VLAN tags.</summary>
    [FieldOffset(16)]
    public byte VlanTags;

    /// <summary>Whether a routing header leads it to others than its destination: these, not its destination, are in the transport checksum (RFC 8200 8.1).</summary>
    [FieldOffset(17)]
    internal bool IsSourceRouted;

    [FieldOffset(0)]
    private ulong _places;

    [FieldOffset(8)]
    private ulong _facts;

    [FieldOffset(16)]
    private uint _tags;

    /// <summary>Untagged IPv4 without options, transport header inside.</summary>
    internal readonly bool IsPlainIpv4 => BitConverter.IsLittleEndian && (_places & 0xFFFF_FFFF_FFFF) == 0x0022_000E_0800;

    /// <summary>Untagged IPv6 without extension headers, transport header inside.</summary>
    internal readonly bool IsPlainIpv6 => BitConverter.IsLittleEndian && (_places & 0xFFFF_FFFF_FFFF) == 0x0036_000E_86DD;

    /// <summary>Sets everything for a whole, untagged packet in three stores instead of thirteen.</summary>
    /// <param name="etherType">EtherType.</param>
    /// <param name="network">Offset of the network header.</param>
    /// <param name="transport">Offset of the transport header.</param>
    /// <param name="end">Offset behind the packet.</param>
    /// <param name="version">4 or 6.</param>
    /// <param name="ttlAndProtocol">TTL in the lower byte, protocol in the upper, as they stand side by side in IPv4.</param>
    /// <param name="tcpFlags">TCP flags, or 0.</param>
    /// <param name="tos">Type of service in the second byte; the others do not count.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet; the arguments are in registers already.
    internal void SetWhole(ushort etherType, uint network, uint transport, uint end, uint version, uint ttlAndProtocol, uint tcpFlags, uint tos)
    {
        if (BitConverter.IsLittleEndian)
        {
            _places = etherType | ((ulong)network << 16) | ((ulong)transport << 32) | ((ulong)end << 48);
            _facts = (ttlAndProtocol << 16) | ((ulong)(tcpFlags | (tos & 0xFF00)) << 32) | ((ulong)version << 56);
            _tags = 0;
            return;
        }

        this = default;
        (EtherType, NetworkOffset, TransportOffset, EndOffset) = (etherType, (ushort)network, (ushort)transport, (ushort)end);
        (IpVersion, Protocol, TcpFlags, Ttl, Tos) = ((byte)version, (byte)(ttlAndProtocol >> 8), (byte)tcpFlags, (byte)ttlAndProtocol, (byte)(tos >> 8));
    }
}
