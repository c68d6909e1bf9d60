using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Dataplane.Packets;

/// <summary>What tells one flow from another: addresses, ports, protocol and family; 40 bytes without padding.</summary>
/// <remarks>
/// IPv4 addresses stand in the low words with the high words 0; the family keeps them apart from IPv6. For ICMP echo the
/// identifier stands in both ports; fragments without transport header and other protocols have ports 0.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 40)]
public struct FlowKey : IEquatable<FlowKey>
{
    /// <summary>Upper 64 bits of the source address.</summary>
    public ulong SourceHigh;

    /// <summary>Lower 64 bits of the source address.</summary>
    public ulong SourceLow;

    /// <summary>Upper 64 bits of the destination address.</summary>
    public ulong DestinationHigh;

    /// <summary>Lower 64 bits of the destination address.</summary>
    public ulong DestinationLow;

    /// <summary>Source port (bits 63-48), destination port (47-32), protocol (15-8) and family (7-0).</summary>
    public ulong Transport;

    /// <summary>Source port.</summary>
    public readonly ushort SourcePort => (ushort)(Transport >> 48);

    /// <summary>Destination port.</summary>
    public readonly ushort DestinationPort => (ushort)(Transport >> 32);

    /// <summary>IP protocol number.</summary>
    public readonly byte Protocol => (byte)(Transport >> 8);

    /// <summary>4 or 6.</summary>
    public readonly byte Family => (byte)Transport;

    /// <summary>Source address.</summary>
    public readonly IpAddress Source => Family == 6 ? IpAddress.FromV6(SourceHigh, SourceLow) : IpAddress.FromV4((uint)SourceLow);

    /// <summary>Destination address.</summary>
    public readonly IpAddress Destination => Family == 6 ? IpAddress.FromV6(DestinationHigh, DestinationLow) : IpAddress.FromV4((uint)DestinationLow);

    /// <summary>Packs ports, protocol and family into <see cref="Transport"/>.</summary>
    public static ulong PackTransport(ushort sourcePort, ushort destinationPort, byte protocol, byte family) =>
        ((ulong)sourcePort << 48) | ((ulong)destinationPort << 32) | ((ulong)protocol << 8) | family;

    /// <summary>Makes a key from its parts; both addresses must be of one family.</summary>
    public static FlowKey Create(IpAddress source, ushort sourcePort, IpAddress destination, ushort destinationPort, byte protocol) => new()
    {
        SourceHigh = source.High,
        SourceLow = source.Low,
        DestinationHigh = destination.High,
        DestinationLow = destination.Low,
        Transport = PackTransport(sourcePort, destinationPort, protocol, (byte)source.Family),
    };

    /// <summary>The key of the opposite direction.</summary>
    public readonly FlowKey Reversed() => new()
    {
        SourceHigh = DestinationHigh,
        SourceLow = DestinationLow,
        DestinationHigh = SourceHigh,
        DestinationLow = SourceLow,
        Transport = PackTransport(DestinationPort, SourcePort, Protocol, Family),
    };

    /// <summary>Equality of all five words: both addresses by one compare, then the rest.</summary>
    public readonly bool Equals(in FlowKey other) => Addresses == other.Addresses && Transport == other.Transport;

    private readonly Vector256<byte> Addresses => Vector256.Create(MemoryMarshal.AsBytes(new ReadOnlySpan<FlowKey>(in this)));

    readonly bool IEquatable<FlowKey>.Equals(FlowKey other) => Equals(in other);

    /// <inheritdoc/>
    public readonly override bool Equals(object? obj) => obj is FlowKey other && Equals(in other);

    /// <inheritdoc/>
    public readonly override int GetHashCode() => HashCode.Combine(SourceHigh, SourceLow, DestinationHigh, DestinationLow, Transport);

    /// <summary>Equality.</summary>
    public static bool operator ==(in FlowKey left, in FlowKey right) => left.Equals(in right);

    /// <summary>Inequality.</summary>
    public static bool operator !=(in FlowKey left, in FlowKey right) => !left.Equals(in right);

    /// <inheritdoc/>
    public readonly override string ToString() => Family == 6
        ? $"[{Source}]:{SourcePort} > [{Destination}]:{DestinationPort} proto {Protocol}"
        : $"{Source}:{SourcePort} > {Destination}:{DestinationPort} proto {Protocol}";
}
