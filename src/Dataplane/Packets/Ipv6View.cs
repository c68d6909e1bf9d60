namespace Dataplane.Packets;

/// <summary>Read-only view of an IPv6 packet (RFC 8200), trimmed to its payload length.</summary>
/// <remarks>
/// <code>
///  0                   1                   2                   3
/// +-------+---------------+---------------------------------------+
/// |Version| Traffic class |              Flow label               |
/// +-------+---------------+-------+---------------+---------------+
/// |        Payload length         |  Next header  |   Hop limit   |
/// +-------------------------------+---------------+---------------+
/// |                    Source address, 16 bytes                   |
/// |                 Destination address, 16 bytes                 |
/// +---------------------------------------------------------------+
/// </code>
/// A value obtained from <see cref="TryParse"/> or <see cref="TryParseHeader"/> never reads outside its bytes and no accessor
/// throws. The guarantee ends when the payload-length bytes are changed. Jumbograms (RFC 2675) read as an empty payload.
/// </remarks>
public readonly ref struct Ipv6View
{
    /// <summary>Bytes of the header without extension headers (40).</summary>
    public const int HeaderLengthBytes = 40;

    private readonly ReadOnlySpan<byte> _bytes;

    private Ipv6View(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Traffic class: DSCP and ECN.</summary>
    public byte TrafficClass => (byte)(NetworkOrder.ReadUInt16(_bytes, Field.VersionClassLabel) >> 4);

    /// <summary>Differentiated services code point (RFC 2474), 0 to 63.</summary>
    public byte Dscp => (byte)(TrafficClass >> 2);

    /// <summary>Explicit congestion notification (RFC 3168), 0 to 3.</summary>
    public byte Ecn => (byte)(TrafficClass & 3);

    /// <summary>Flow label (RFC 6437), 20 bits.</summary>
    public uint FlowLabel => NetworkOrder.ReadUInt32(_bytes, Field.VersionClassLabel) & Field.FlowLabelMask;

    /// <summary>Extension headers and upper layer in bytes, as stated in the header.</summary>
    public ushort PayloadLengthBytes => NetworkOrder.ReadUInt16(_bytes, Field.PayloadLength);

    /// <summary>Type of the first header behind this one; the upper protocol only when there are no extension headers.</summary>
    public byte NextHeader => _bytes[Field.NextHeader];

    /// <summary>Hop limit.</summary>
    public byte HopLimit => _bytes[Field.HopLimit];

    /// <summary>Source address.</summary>
    public IpAddress Source => IpAddress.ReadV6(_bytes[Field.Source..]);

    /// <summary>Destination address as stated; under a routing header the next node to visit.</summary>
    public IpAddress Destination => IpAddress.ReadV6(_bytes[Field.Destination..]);

    /// <summary>What follows the fixed header, extension headers included; shorter when <see cref="IsTruncated"/>.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[HeaderLengthBytes..];

    /// <summary>Fixed header and payload.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Whether bytes are missing at the end; only possible for <see cref="TryParseHeader"/>.</summary>
    public bool IsTruncated => PayloadLengthBytes > _bytes.Length - HeaderLengthBytes;

    /// <summary>The extension headers one by one.</summary>
    public Ipv6ExtensionWalker Extensions => new(this);

    /// <summary>Reads a complete packet.</summary>
    /// <param name="bytes">From the version byte on; link padding behind is allowed and cut off.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when cut off or of another version.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv6View view) => TryParseHeader(bytes, out view) && !view.IsTruncated;

    /// <summary>Reads a packet whose end may be missing, such as the one quoted in an ICMPv6 error or one captured in part.</summary>
    /// <param name="bytes">From the version byte on.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when the fixed header itself is cut off or of another version.</returns>
    public static bool TryParseHeader(ReadOnlySpan<byte> bytes, out Ipv6View view)
    {
        view = default;
        if (bytes.Length < HeaderLengthBytes || bytes[Field.VersionClassLabel] >> 4 != 6)
        {
            return false;
        }

        int total = HeaderLengthBytes + NetworkOrder.ReadUInt16(bytes, Field.PayloadLength);
        view = new Ipv6View(bytes[..Math.Min(total, bytes.Length)]);
        return true;
    }

    /// <summary>The values of the fixed header; always true, every header the view accepts fits.</summary>
    public bool TryGetFields(out Ipv6Fields fields)
    {
        fields = new Ipv6Fields
        {
            Source = Source,
            Destination = Destination,
            NextHeader = NextHeader,
            HopLimit = HopLimit,
            TrafficClass = TrafficClass,
            FlowLabel = FlowLabel,
            PayloadLengthBytes = PayloadLengthBytes,
        };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int VersionClassLabel = 0, PayloadLength = 4, NextHeader = 6, HopLimit = 7, Source = 8, Destination = 24;
        public const uint FlowLabelMask = 0x000F_FFFF;
    }
}
