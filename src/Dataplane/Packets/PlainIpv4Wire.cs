using System.Runtime.InteropServices;

namespace Dataplane.Packets;

/// <summary>The first 42 bytes of an untagged Ethernet frame with an IPv4 header without options and the first 8 bytes behind it, in few loads.</summary>
/// <remarks>Laid over checked memory with <see cref="MemoryMarshal.AsRef{T}(Span{byte})"/>: one length check for all fields. Words are as they lie on
/// the wire: for little-endian machines their first byte is the lowest.</remarks>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct PlainIpv4Wire
{
    /// <summary>Length of the layout.</summary>
    public const int Bytes = 42;

    /// <summary>Hardware addresses: the destination, and the first two bytes of the source.</summary>
    [FieldOffset(0)]
    public ulong LinkStart;

    /// <summary>The rest of the source's hardware address.</summary>
    [FieldOffset(8)]
    public uint LinkEnd;

    /// <summary>EtherType.</summary>
    [FieldOffset(12)]
    public ushort EtherType;

    /// <summary>EtherType, version and header length, type of service.</summary>
    [FieldOffset(12)]
    public uint Kind;

    /// <summary>Version and header length, type of service, total length, identification, flags and fragment offset.</summary>
    [FieldOffset(14)]
    public ulong First;

    /// <summary>TTL, protocol, checksum, source address.</summary>
    [FieldOffset(22)]
    public ulong Second;

    /// <summary>TTL, protocol, checksum.</summary>
    [FieldOffset(22)]
    public uint TtlWord;

    /// <summary>Source and destination address.</summary>
    [FieldOffset(26)]
    public ulong Addresses;

    /// <summary>Destination address.</summary>
    [FieldOffset(30)]
    public uint Third;

    /// <summary>Source and destination port.</summary>
    [FieldOffset(34)]
    public uint Ports;

    /// <summary>UDP: length of header and data.</summary>
    [FieldOffset(38)]
    public ushort UdpLength;

    /// <summary>UDP: checksum.</summary>
    [FieldOffset(40)]
    public ushort UdpChecksum;
}
