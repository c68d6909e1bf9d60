namespace Dataplane.Ports;

/// <summary>The kinds of port that a configuration can name.</summary>
public enum PortKind
{
    /// <summary>AF_PACKET with memory-mapped rings (TPACKET) on a network interface.</summary>
    AfPacket,

    /// <summary>AF_XDP socket on a network interface: an XDP program hands over its frames before the kernel's network stack.</summary>
    AfXdp,

    /// <summary>TAP device.</summary>
    Tap,

    /// <summary>Memory shared with VPP, DPDK or another data plane (memif 2.0).</summary>
    Memif,

    /// <summary>Frames over a Unix or TCP socket, each behind its length, as QEMU and passt speak them; on request over TLS 1.3.</summary>
    Stream,

    /// <summary>Capture files (pcap or pcapng in, pcap out).</summary>
    Pcap,

    /// <summary>The way of a network to its endpoints at other hosts, by VXLAN.</summary>
    Vxlan,

    /// <summary>In-memory rings of the same process: for tests and for embedding.</summary>
    Memory,
}
