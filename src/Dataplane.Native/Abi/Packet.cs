using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>Link-layer address of a packet socket, &lt;linux/if_packet.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct sockaddr_ll
{
    public ushort sll_family;
    public ushort sll_protocol;    // network byte order
    public int sll_ifindex;
    public ushort sll_hatype;
    public byte sll_pkttype;
    public byte sll_halen;
    public Bytes8 sll_addr;
}

/// <summary>One instruction of a socket's filter.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/filter.h")]
internal struct sock_filter
{
    public ushort code;
    public byte jt;
    public byte jf;
    public uint k;
}

/// <summary>A socket's filter.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/filter.h")]
internal struct sock_fprog
{
    public ushort len;
    public nint filter;
}

/// <summary>Shape of a TPACKET_V1 or V2 ring.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct tpacket_req
{
    public uint tp_block_size;
    public uint tp_block_nr;
    public uint tp_frame_size;
    public uint tp_frame_nr;
}

/// <summary>Shape of a TPACKET_V3 ring, since 3.2.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct tpacket_req3
{
    public uint tp_block_size;
    public uint tp_block_nr;
    public uint tp_frame_size;
    public uint tp_frame_nr;
    public uint tp_retire_blk_tov;    // milliseconds
    public uint tp_sizeof_priv;
    public uint tp_feature_req_word;
}

/// <summary>In front of a slot of a TPACKET_V2 ring.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct tpacket2_hdr
{
    public uint tp_status;
    public uint tp_len;
    public uint tp_snaplen;
    public ushort tp_mac;
    public ushort tp_net;
    public uint tp_sec;
    public uint tp_nsec;
    public ushort tp_vlan_tci;
    public ushort tp_vlan_tpid;
    public uint tp_padding;
}

/// <summary>In front of a frame in a TPACKET_V3 block.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct tpacket3_hdr
{
    public uint tp_next_offset;
    public uint tp_sec;
    public uint tp_nsec;
    public uint tp_snaplen;
    public uint tp_len;
    public uint tp_status;
    public ushort tp_mac;
    public ushort tp_net;

    [KernelField("hv1.tp_rxhash")]
    public uint tp_rxhash;

    [KernelField("hv1.tp_vlan_tci")]
    public uint tp_vlan_tci;

    [KernelField("hv1.tp_vlan_tpid")]
    public ushort tp_vlan_tpid;

    [KernelField("hv1.tp_padding")]
    public ushort hv1_padding;

    public Bytes8 tp_padding;
}

/// <summary>In front of a TPACKET_V3 block.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct tpacket_block_desc
{
    public uint version;
    public uint offset_to_priv;

    [KernelField("hdr.bh1.block_status")]
    public uint block_status;

    [KernelField("hdr.bh1.num_pkts")]
    public uint num_pkts;

    [KernelField("hdr.bh1.offset_to_first_pkt")]
    public uint offset_to_first_pkt;

    [KernelField("hdr.bh1.blk_len")]
    public uint blk_len;

    [KernelField("hdr.bh1.seq_num")]
    public ulong seq_num;

    [KernelField("hdr.bh1.ts_first_pkt")]
    public ulong ts_first_pkt;

    [KernelField("hdr.bh1.ts_last_pkt")]
    public ulong ts_last_pkt;
}

/// <summary>Counters of a TPACKET_V3 receive ring; reading them sets them to zero.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct tpacket_stats_v3
{
    public uint tp_packets;
    public uint tp_drops;
    public uint tp_freeze_q_cnt;
}

/// <summary>What PACKET_ADD_MEMBERSHIP takes.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_packet.h")]
internal struct packet_mreq
{
    public int mr_ifindex;
    public ushort mr_type;
    public ushort mr_alen;
    public Bytes8 mr_address;
}

/// <summary>Offload header in front of a frame, &lt;linux/virtio_net.h&gt;; little-endian numbers on the machines we run on.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/virtio_net.h")]
internal struct virtio_net_hdr
{
    public byte flags;
    public byte gso_type;
    public ushort hdr_len;
    public ushort gso_size;
    public ushort csum_start;
    public ushort csum_offset;
}

/// <summary>Eight bytes of a kernel structure.</summary>
[InlineArray(8)]
internal struct Bytes8
{
    private byte _first;
}

/// <summary>Constants of packet sockets.</summary>
[KernelConstants("sys/socket.h", "linux/if_packet.h", "linux/if_ether.h", "linux/filter.h")]
internal static class Packet
{
    internal const int SOL_PACKET = 263;

    internal const int PACKET_ADD_MEMBERSHIP = 1;
    internal const int PACKET_RX_RING = 5;
    internal const int PACKET_STATISTICS = 6;
    internal const int PACKET_COPY_THRESH = 7;
    internal const int PACKET_VERSION = 10;
    internal const int PACKET_RESERVE = 12;
    internal const int PACKET_TX_RING = 13;
    internal const int PACKET_VNET_HDR = 15;
    internal const int PACKET_FANOUT = 18;             // since 3.1
    internal const int PACKET_QDISC_BYPASS = 20;       // since 3.14
    internal const int PACKET_IGNORE_OUTGOING = 23;    // since 4.20 fa788d986a3a

    internal const int PACKET_FANOUT_HASH = 0;
    internal const int PACKET_FANOUT_FLAG_UNIQUEID = 0x2000;    // since 4.11

    [SinceKernel("6.2")]
    internal const int PACKET_FANOUT_FLAG_IGNORE_OUTGOING = 0x4000;

    internal const int BPF_RET = 0x06;

    internal const int TPACKET_V2 = 1;
    internal const int TPACKET_V3 = 2;
    internal const int TPACKET_ALIGNMENT = 16;

    internal const uint TP_STATUS_KERNEL = 0;
    internal const uint TP_STATUS_USER = 1 << 0;
    internal const uint TP_STATUS_COPY = 1 << 1;
    internal const uint TP_STATUS_VLAN_VALID = 1 << 4;
    internal const uint TP_STATUS_VLAN_TPID_VALID = 1 << 6;

    internal const uint TP_STATUS_AVAILABLE = 0;
    internal const uint TP_STATUS_SEND_REQUEST = 1 << 0;
    internal const uint TP_STATUS_SENDING = 1 << 1;
    internal const uint TP_STATUS_WRONG_FORMAT = 1 << 2;

    internal const int PACKET_MR_PROMISC = 1;

    internal const int ETH_P_ALL = 3;
    internal const int ETH_P_8021Q = 0x8100;
    internal const int ETH_P_8021AD = 0x88A8;
    internal const int ETH_P_IP = 0x0800;
    internal const int ETH_P_IPV6 = 0x86DD;
    internal const int ETH_HLEN = 14;
}

/// <summary>Constants of the offload header.</summary>
[KernelConstants("linux/virtio_net.h")]
internal static class VirtioNet
{
    internal const byte VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
    internal const byte VIRTIO_NET_HDR_GSO_NONE = 0;
    internal const byte VIRTIO_NET_HDR_GSO_TCPV4 = 1;
    internal const byte VIRTIO_NET_HDR_GSO_TCPV6 = 4;

    [SinceKernel("6.2")]
    internal const byte VIRTIO_NET_HDR_GSO_UDP_L4 = 5;

    internal const byte VIRTIO_NET_HDR_GSO_ECN = 0x80;
}
