namespace Dataplane.Packets;

/// <summary>Read-only view of an IPv6 routing header (RFC 8200, 4.4).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws. Addresses are read for type 0
/// (deprecated by RFC 5095), type 2 (mobility, RFC 6275) and type 4 (segment routing, RFC 8754).</remarks>
public readonly ref struct Ipv6RoutingView
{
    /// <summary>Bytes of the shortest header (8).</summary>
    public const int MinLengthBytes = 8;

    /// <summary>Routing type of source routes, which RFC 5095 tells nodes to refuse.</summary>
    public const byte SourceRoute = 0;

    /// <summary>Routing type of mobile IPv6 (RFC 6275).</summary>
    public const byte Mobility = 2;

    /// <summary>Routing type of segment routing (RFC 8754).</summary>
    public const byte SegmentRouting = 4;

    private readonly ReadOnlySpan<byte> _bytes;

    private Ipv6RoutingView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Type of the header behind.</summary>
    public byte NextHeader => _bytes[Field.NextHeader];

    /// <summary>Bytes of this header, a multiple of 8 up to 2,048.</summary>
    public int HeaderLengthBytes => _bytes.Length;

    /// <summary>Which kind of routing header this is.</summary>
    public byte RoutingType => _bytes[Field.RoutingType];

    /// <summary>Nodes still to be visited.</summary>
    public byte SegmentsLeft => _bytes[Field.SegmentsLeft];

    /// <summary>What follows the four fixed bytes.</summary>
    public ReadOnlySpan<byte> Data => _bytes[Field.Data..];

    /// <summary>The number of addresses in the header; 0 for types whose form is not known here.</summary>
    public int AddressCount
    {
        get
        {
            int room = (_bytes.Length - Field.Addresses) / IpAddress.V6LengthBytes;
            return RoutingType switch
            {
                SourceRoute or Mobility => room,
                SegmentRouting => Math.Min(_bytes[Field.LastEntry] + 1, room),
                _ => 0,
            };
        }
    }

    /// <summary>Reads a header; false when it is cut off.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv6RoutingView view)
    {
        bool valid = bytes.Length >= MinLengthBytes && bytes.Length >= (bytes[Field.Length] + 1) * MinLengthBytes;
        view = valid ? new Ipv6RoutingView(bytes[..((bytes[Field.Length] + 1) * MinLengthBytes)]) : default;
        return valid;
    }

    /// <summary>The address at a position, in the order of the bytes; false when <paramref name="index"/> is not below <see cref="AddressCount"/>.</summary>
    public bool TryGetAddress(int index, out IpAddress address)
    {
        bool exists = (uint)index < (uint)AddressCount;
        address = exists ? IpAddress.ReadV6(_bytes[(Field.Addresses + (IpAddress.V6LengthBytes * index))..]) : default;
        return exists;
    }

    /// <summary>The packet's true destination, which upper-layer checksums cover (RFC 8200, 8.1).</summary>
    /// <param name="destination">On entry the destination of the IPv6 header; replaced while there are segments left.</param>
    /// <returns>False when segments are left and the route cannot be read: an unknown type or fewer addresses than segments.</returns>
    public bool TryGetFinalDestination(ref IpAddress destination)
    {
        if (SegmentsLeft == 0)
        {
            return true;
        }

        int count = AddressCount;
        if (SegmentsLeft > count)
        {
            return false;
        }

        // Segment routing stores its list backwards: the last segment is the first entry (RFC 8754, 2).
        return TryGetAddress(RoutingType == SegmentRouting ? 0 : count - 1, out destination);
    }

    /// <summary>The values of the header without its type-specific data; always true.</summary>
    public bool TryGetFields(out Ipv6RoutingFields fields)
    {
        fields = new Ipv6RoutingFields { NextHeader = NextHeader, RoutingType = RoutingType, SegmentsLeft = SegmentsLeft };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int NextHeader = 0, Length = 1, RoutingType = 2, SegmentsLeft = 3, Data = 4, LastEntry = 4, Addresses = 8;
    }
}
