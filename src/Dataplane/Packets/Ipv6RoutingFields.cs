namespace Dataplane.Packets;

/// <summary>The values of an IPv6 routing header (RFC 8200, 4.4); the type-specific data is given when it is written.</summary>
public readonly record struct Ipv6RoutingFields
{
    /// <summary>The most bytes of type-specific data one header holds (2,044).</summary>
    public const int MaxDataBytes = (256 * Ipv6RoutingView.MinLengthBytes) - Ipv6RoutingView.Field.Data;

    /// <summary>Type of the header behind.</summary>
    public byte NextHeader { get; init; }

    /// <summary>Which kind of routing header this is.</summary>
    public byte RoutingType { get; init; }

    /// <summary>Nodes still to be visited.</summary>
    public byte SegmentsLeft { get; init; }

    /// <summary>Bytes <see cref="Emit"/> writes for so many bytes of data: the next multiple of 8.</summary>
    public static int EmittedLength(int dataBytes) => (Ipv6RoutingView.Field.Data + dataBytes + 7) & ~7;

    /// <summary>Writes the header, padded with zeros to a multiple of 8 bytes.</summary>
    /// <param name="target">Room for the header.</param>
    /// <param name="data">Type-specific data: for types 0 and 2 four reserved bytes and the addresses, for type 4 last entry, flags, tag and segments.</param>
    /// <returns>The bytes written.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room, or more than <see cref="MaxDataBytes"/>.</exception>
    public int Emit(Span<byte> target, ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(data.Length, MaxDataBytes, nameof(data));
        Span<byte> header = target[..EmittedLength(data.Length)];
        header[Ipv6RoutingView.Field.NextHeader] = NextHeader;
        header[Ipv6RoutingView.Field.Length] = (byte)((header.Length / Ipv6RoutingView.MinLengthBytes) - 1);
        header[Ipv6RoutingView.Field.RoutingType] = RoutingType;
        header[Ipv6RoutingView.Field.SegmentsLeft] = SegmentsLeft;
        header[Ipv6RoutingView.Field.Data..].Clear();
        data.CopyTo(header[Ipv6RoutingView.Field.Data..]);
        return header.Length;
    }
}
