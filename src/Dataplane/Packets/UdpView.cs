namespace Dataplane.Packets;

/// <summary>Read-only view of a UDP datagram (RFC 768), trimmed to its length field.</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> or <see cref="TryParseHeader"/> never reads outside its bytes and no accessor throws.
/// The guarantee ends when the length bytes are changed. The checksum is not part of it.</remarks>
public readonly ref struct UdpView
{
    /// <summary>Bytes of the header (8).</summary>
    public const int HeaderLengthBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private UdpView(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Source port; 0 when no reply is wanted.</summary>
    public ushort SourcePort => NetworkOrder.ReadUInt16(_bytes, Field.SourcePort);

    /// <summary>Destination port.</summary>
    public ushort DestinationPort => NetworkOrder.ReadUInt16(_bytes, Field.DestinationPort);

    /// <summary>Header and data in bytes, as stated in the header.</summary>
    public ushort LengthBytes => NetworkOrder.ReadUInt16(_bytes, Field.Length);

    /// <summary>Checksum as stored; 0 means none.</summary>
    public ushort Checksum => NetworkOrder.ReadUInt16(_bytes, Field.Checksum);

    /// <summary>Whether the sender computed a checksum. IPv6 requires one, tunnels excepted (RFC 8200 8.1, RFC 6935).</summary>
    public bool HasChecksum => Checksum != 0;

    /// <summary>The data; shorter than the header says when <see cref="IsTruncated"/>.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[HeaderLengthBytes..];

    /// <summary>Whether bytes are missing at the end; only possible for <see cref="TryParseHeader"/>.</summary>
    public bool IsTruncated => LengthBytes > _bytes.Length;

    /// <summary>Reads a complete datagram.</summary>
    /// <param name="bytes">The payload of the IP packet; what it has behind the datagram is cut off.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when cut off or with a length below 8.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out UdpView view) => TryParseHeader(bytes, out view) && !view.IsTruncated;

    /// <summary>Reads a datagram whose end may be missing: quoted in an ICMP error, or in the first fragment.</summary>
    /// <param name="bytes">From the source port on.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when the header itself is cut off or states a length below 8.</returns>
    public static bool TryParseHeader(ReadOnlySpan<byte> bytes, out UdpView view)
    {
        view = default;
        if (bytes.Length < HeaderLengthBytes)
        {
            return false;
        }

        int length = NetworkOrder.ReadUInt16(bytes, Field.Length);
        if (length < HeaderLengthBytes)
        {
            return false;
        }

        view = new UdpView(bytes[..Math.Min(length, bytes.Length)]);
        return true;
    }

    /// <summary>Whether the datagram adds up with its pseudo-header, or has no checksum at all.</summary>
    /// <param name="source">Source address.</param>
    /// <param name="destination">Final destination address.</param>
    public bool IsChecksumValid(IpAddress source, IpAddress destination) =>
        !HasChecksum || InternetChecksum.Verify(_bytes, InternetChecksum.PseudoHeader(source, destination, IpProtocols.Udp, LengthBytes));

    /// <summary>The values of the header without the checksum; always true.</summary>
    public bool TryGetFields(out UdpFields fields)
    {
        fields = new UdpFields { SourcePort = SourcePort, DestinationPort = DestinationPort, PayloadLengthBytes = LengthBytes - HeaderLengthBytes };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int SourcePort = 0, DestinationPort = 2, Length = 4, Checksum = 6;
    }
}
