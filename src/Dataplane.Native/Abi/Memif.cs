using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>Constants of memif 2.0: the shared-memory interface of VPP (extras/libmemif/src/memif.h) and DPDK (drivers/net/memif/memif.h).</summary>
[KernelConstants("memif.h")]
internal static class Memif
{
    internal const uint MEMIF_COOKIE = 0x3E31F20;
    internal const ushort MEMIF_VERSION = 0x200;
    internal const ushort MEMIF_DESC_FLAG_NEXT = 1;
    internal const ushort MEMIF_RING_FLAG_MASK_INT = 1;
    internal const ushort MEMIF_MSG_ADD_RING_FLAG_S2M = 1;
    internal const byte MEMIF_INTERFACE_MODE_ETHERNET = 0;

    internal const ushort MEMIF_MSG_TYPE_NONE = 0;
    internal const ushort MEMIF_MSG_TYPE_ACK = 1;
    internal const ushort MEMIF_MSG_TYPE_HELLO = 2;
    internal const ushort MEMIF_MSG_TYPE_INIT = 3;
    internal const ushort MEMIF_MSG_TYPE_ADD_REGION = 4;
    internal const ushort MEMIF_MSG_TYPE_ADD_RING = 5;
    internal const ushort MEMIF_MSG_TYPE_CONNECT = 6;
    internal const ushort MEMIF_MSG_TYPE_CONNECTED = 7;
    internal const ushort MEMIF_MSG_TYPE_DISCONNECT = 8;
}

/// <summary>One buffer in a ring. The client writes region and offset, the sender length and flags; 16 bytes, four to a cache line.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("memif.h", "memif_desc_t")]
internal struct memif_desc
{
    public ushort flags;
    public ushort region;
    public uint length;
    public uint offset;
    public uint metadata;
}

/// <summary>The head of a ring; the descriptors follow. What the two sides write lies on lines of its own, but for the flags.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
[KernelType("memif.h", "memif_ring_t")]
internal struct memif_ring
{
    [FieldOffset(0)]
    public uint cookie;

    /// <summary>Written by the receiver of the ring, read by the sender.</summary>
    [FieldOffset(4)]
    public ushort flags;

    /// <summary>Written by the client: buffers filled where it sends, buffers lent where it receives.</summary>
    [FieldOffset(6)]
    public ushort head;

    /// <summary>Written by the server: buffers emptied where it receives, buffers filled where it sends.</summary>
    [FieldOffset(64)]
    public ushort tail;
}

/// <summary>A name in a message, ended by a zero unless it fills the field.</summary>
[InlineArray(32)]
internal struct memif_name
{
    private byte _first;
}

/// <summary>What client and server may have agreed on beforehand; zeros for nothing.</summary>
[InlineArray(24)]
internal struct memif_secret
{
    private byte _first;
}

/// <summary>The reason of a disconnection, in words.</summary>
[InlineArray(96)]
internal struct memif_reason
{
    private byte _first;
}

/// <summary>Server to client, first: what the server can do.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
[KernelType("memif.h", "memif_msg_hello_t")]
internal struct memif_msg_hello
{
    public memif_name name;
    public ushort min_version;
    public ushort max_version;
    public ushort max_region;
    public ushort max_m2s_ring;
    public ushort max_s2m_ring;
    public byte max_log2_ring_size;
}

/// <summary>Client to server: which interface the client wants.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
[KernelType("memif.h", "memif_msg_init_t")]
internal struct memif_msg_init
{
    public ushort version;
    public uint id;
    public byte mode;
    public memif_secret secret;
    public memif_name name;
}

/// <summary>Client to server: memory that rings and buffers lie in; its descriptor travels with the message.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
[KernelType("memif.h", "memif_msg_add_region_t")]
internal struct memif_msg_add_region
{
    public ushort index;
    public ulong size;
}

/// <summary>Client to server: where a ring lies; the event descriptor of its receiver travels with the message.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
[KernelType("memif.h", "memif_msg_add_ring_t")]
internal struct memif_msg_add_ring
{
    public ushort flags;
    public ushort index;
    public ushort region;
    public uint offset;
    public byte log2_ring_size;
    public ushort private_hdr_size;
}

/// <summary>Either way: the connection stands; CONNECT from the client, CONNECTED from the server.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
[KernelType("memif.h", "memif_msg_connect_t")]
internal struct memif_msg_connect
{
    public memif_name if_name;
}

/// <summary>Either way: the connection ends, and why.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
[KernelType("memif.h", "memif_msg_disconnect_t")]
internal struct memif_msg_disconnect
{
    public uint code;
    public memif_reason text;
}

/// <summary>One message of the control channel: always 128 bytes, at most one descriptor with it.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
[KernelType("memif.h", "memif_msg_t")]
internal struct memif_msg
{
    internal const int Bytes = 128;

    [FieldOffset(0)]
    public ushort type;

    [FieldOffset(2)]
    public memif_msg_hello hello;

    [FieldOffset(2)]
    public memif_msg_init init;

    [FieldOffset(2)]
    public memif_msg_add_region add_region;

    [FieldOffset(2)]
    public memif_msg_add_ring add_ring;

    [FieldOffset(2)]
    public memif_msg_connect connect;

    [FieldOffset(2)]
    public memif_msg_disconnect disconnect;
}
