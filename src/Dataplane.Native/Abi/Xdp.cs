using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>Address that an AF_XDP socket is bound to, &lt;linux/if_xdp.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_xdp.h")]
internal struct sockaddr_xdp
{
    public ushort sxdp_family;
    public ushort sxdp_flags;
    public uint sxdp_ifindex;
    public uint sxdp_queue_id;
    public uint sxdp_shared_umem_fd;
}

/// <summary>Where the parts of one ring lie in its mapping, since 5.4 with flags.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_xdp.h")]
internal struct xdp_ring_offset
{
    public ulong producer;
    public ulong consumer;
    public ulong desc;
    public ulong flags;
}

/// <summary>Where the parts of the four rings lie.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_xdp.h")]
internal struct xdp_mmap_offsets
{
    public xdp_ring_offset rx;
    public xdp_ring_offset tx;
    public xdp_ring_offset fr;
    public xdp_ring_offset cr;
}

/// <summary>Memory to be registered for frames; what 6.8 calls tx_metadata_len is padding before.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_xdp.h")]
internal struct xdp_umem_reg
{
    public ulong addr;
    public ulong len;
    public uint chunk_size;
    public uint headroom;
    public uint flags;
    private readonly uint _rest;
}

/// <summary>Counters of an AF_XDP socket, since 5.9 with all six.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_xdp.h")]
internal struct xdp_statistics
{
    public ulong rx_dropped;
    public ulong rx_invalid_descs;
    public ulong tx_invalid_descs;
    public ulong rx_ring_full;
    public ulong rx_fill_ring_empty_descs;
    public ulong tx_ring_empty_descs;
}

/// <summary>How a bound AF_XDP socket works.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_xdp.h")]
internal struct xdp_options
{
    public uint flags;
}

/// <summary>An entry of a receive or transmit ring.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/if_xdp.h")]
internal struct xdp_desc
{
    public ulong addr;
    public uint len;
    public uint options;
}

/// <summary>Constants of AF_XDP sockets.</summary>
[KernelConstants("sys/socket.h", "linux/if_xdp.h", "linux/if_link.h")]
internal static class Xdp
{
    internal const int SOL_XDP = 283;

    internal const ushort XDP_SHARED_UMEM = 1 << 0;
    internal const ushort XDP_COPY = 1 << 1;
    internal const ushort XDP_ZEROCOPY = 1 << 2;
    internal const ushort XDP_USE_NEED_WAKEUP = 1 << 3;
    [SinceKernel("6.6")]
    internal const ushort XDP_USE_SG = 1 << 4;
    [SinceKernel("6.6")]
    internal const uint XDP_PKT_CONTD = 1 << 0;

    internal const int XDP_MMAP_OFFSETS = 1;
    internal const int XDP_RX_RING = 2;
    internal const int XDP_TX_RING = 3;
    internal const int XDP_UMEM_REG = 4;
    internal const int XDP_UMEM_FILL_RING = 5;
    internal const int XDP_UMEM_COMPLETION_RING = 6;
    internal const int XDP_STATISTICS = 7;
    internal const int XDP_OPTIONS = 8;
    [SinceKernel("6.17")]
    internal const int XDP_MAX_TX_SKB_BUDGET = 9;

    internal const uint XDP_OPTIONS_ZEROCOPY = 1 << 0;
    internal const uint XDP_RING_NEED_WAKEUP = 1 << 0;

    internal const long XDP_PGOFF_RX_RING = 0;
    internal const long XDP_PGOFF_TX_RING = 0x80000000;
    internal const long XDP_UMEM_PGOFF_FILL_RING = 0x100000000;
    internal const long XDP_UMEM_PGOFF_COMPLETION_RING = 0x180000000;

    internal const uint XDP_FLAGS_SKB_MODE = 1U << 1;
    internal const uint XDP_FLAGS_DRV_MODE = 1U << 2;

    internal const int SO_BUSY_POLL = 46;
    internal const int SO_PREFER_BUSY_POLL = 69;
    internal const int SO_BUSY_POLL_BUDGET = 70;
}
