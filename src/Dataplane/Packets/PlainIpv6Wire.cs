using System.Runtime.InteropServices;

namespace Dataplane.Packets;

/// <summary>The first 62 bytes of an untagged Ethernet frame with an IPv6 header and the first 8 bytes behind it, in few loads.</summary>
/// <remarks><inheritdoc cref="PlainIpv4Wire" path="/remarks"/></remarks>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
internal struct PlainIpv6Wire
{
    /// <summary>Length of the layout.</summary>
    public const int Bytes = 62;

    /// <summary>Hardware addresses: the destination, and the first two bytes of the source.</summary>
    [FieldOffset(0)]
    public ulong LinkStart;

    /// <summary>The rest of the source's hardware address.</summary>
    [FieldOffset(8)]
    public uint LinkEnd;

    /// <summary>EtherType.</summary>
    [FieldOffset(12)]
    public ushort EtherType;

    /// <summary>EtherType, version, traffic class and the start of the flow label.</summary>
    [FieldOffset(12)]
    public uint Kind;

    /// <summary>Version, traffic class, flow label, payload length, next header, hop limit.</summary>
    [FieldOffset(14)]
    public ulong First;

    /// <summary>Payload length.</summary>
    [FieldOffset(18)]
    public ushort PayloadLength;

    /// <summary>Next header.</summary>
    [FieldOffset(20)]
    public byte Protocol;

    /// <summary>Hop limit.</summary>
    [FieldOffset(21)]
    public byte HopLimit;

    /// <summary>Source address, first half.</summary>
    [FieldOffset(22)]
    public ulong SourceHigh;

    /// <summary>Source address, second half.</summary>
    [FieldOffset(30)]
    public ulong SourceLow;

    /// <summary>Destination address, first half.</summary>
    [FieldOffset(38)]
    public ulong DestinationHigh;

    /// <summary>Destination address, second half.</summary>
    [FieldOffset(46)]
    public ulong DestinationLow;

    /// <summary>Source and destination port.</summary>
    [FieldOffset(54)]
    public uint Ports;

    /// <summary>UDP: length of header and data.</summary>
    [FieldOffset(58)]
    public ushort UdpLength;

    /// <summary>UDP: checksum.</summary>
    [FieldOffset(60)]
    public ushort UdpChecksum;
}
