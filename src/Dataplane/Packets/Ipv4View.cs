namespace Dataplane.Packets;

/// <summary>Read-only view of an IPv4 packet (RFC 791), trimmed to its total length.</summary>
/// <remarks>
/// <code>
///  0                   1                   2                   3
/// +-------+-------+---------------+-------------------------------+
/// |Version|  IHL  |Type of service|         Total length          |
/// +-------+-------+---------------+-----+-------------------------+
/// |        Identification         |0|D|M|     Fragment offset     |
/// +---------------+---------------+-----+-------------------------+
/// | Time to live  |   Protocol    |        Header checksum        |
/// +---------------+---------------+-------------------------------+
/// |                        Source address                         |
/// |                      Destination address                      |
/// |                       Options, padding                        |
/// +---------------------------------------------------------------+
/// </code>
/// A value obtained from <see cref="TryParse"/> or <see cref="TryParseHeader"/> never reads outside its bytes and no accessor
/// throws. The guarantee ends when the version, IHL or total-length bytes are changed. The header checksum is not part of it.
/// </remarks>
public readonly ref struct Ipv4View
{
    /// <summary>Bytes of a header without options (20).</summary>
    public const int MinHeaderLengthBytes = 20;

    /// <summary>Bytes of the longest header (60).</summary>
    public const int MaxHeaderLengthBytes = 60;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _headerLength;

    private Ipv4View(ReadOnlySpan<byte> bytes, int headerLength)
    {
        _bytes = bytes;
        _headerLength = headerLength;
    }

    /// <summary>Header length in bytes, options included (20 to 60).</summary>
    public int HeaderLengthBytes => _headerLength;

    /// <summary>Type of service: DSCP and ECN.</summary>
    public byte Tos => _bytes[Field.Tos];

    /// <summary>Differentiated services code point (RFC 2474), 0 to 63.</summary>
    public byte Dscp => (byte)(Tos >> 2);

    /// <summary>Explicit congestion notification (RFC 3168), 0 to 3.</summary>
    public byte Ecn => (byte)(Tos & 3);

    /// <summary>Header and payload in bytes, as stated in the header.</summary>
    public ushort TotalLengthBytes => NetworkOrder.ReadUInt16(_bytes, Field.TotalLength);

    /// <summary>What ties the fragments of a packet together.</summary>
    public ushort Identification => NetworkOrder.ReadUInt16(_bytes, Field.Identification);

    /// <summary>The bit that must be zero (RFC 791).</summary>
    public bool ReservedFlag => (_bytes[Field.FlagsAndOffset] & 0x80) != 0;

    /// <summary>Whether the packet must not be fragmented.</summary>
    public bool DontFragment => (_bytes[Field.FlagsAndOffset] & 0x40) != 0;

    /// <summary>Whether this is a fragment and not the last one.</summary>
    public bool MoreFragments => (_bytes[Field.FlagsAndOffset] & 0x20) != 0;

    /// <summary>Where this fragment's payload belongs, in bytes: a multiple of 8 up to 65,528.</summary>
    public int FragmentOffsetBytes => (NetworkOrder.ReadUInt16(_bytes, Field.FlagsAndOffset) & 0x1FFF) << 3;

    /// <summary>Whether this is a whole packet, the first fragment or a later one.</summary>
    public FragmentKind Fragment => FragmentOffsetBytes != 0 ? FragmentKind.Later : MoreFragments ? FragmentKind.First : FragmentKind.None;

    /// <summary>Time to live.</summary>
    public byte Ttl => _bytes[Field.Ttl];

    /// <summary>Protocol of the payload, see <see cref="IpProtocols"/>.</summary>
    public byte Protocol => _bytes[Field.Protocol];

    /// <summary>Header checksum as stored.</summary>
    public ushort Checksum => NetworkOrder.ReadUInt16(_bytes, Field.Checksum);

    /// <summary>Whether the header, options included, adds up; reads the whole header.</summary>
    public bool IsChecksumValid => InternetChecksum.Verify(_bytes[.._headerLength]);

    /// <summary>Source address.</summary>
    public IpAddress Source => IpAddress.ReadV4(_bytes[Field.Source..]);

    /// <summary>Destination address as stated; under a source route the next hop to visit.</summary>
    public IpAddress Destination => IpAddress.ReadV4(_bytes[Field.Destination..]);

    /// <summary>Where the packet ends up, which transport checksums cover (RFC 1122, 3.2.1.8): the last hop of a source route, else the destination.</summary>
    public IpAddress FinalDestination
    {
        get
        {
            foreach (Ipv4Option option in EnumeratedOptions)
            {
                if (option.TryGetFinalDestination(out IpAddress destination))
                {
                    return destination;
                }
            }

            return Destination;
        }
    }

    /// <summary>Options and their padding, 0 to 40 bytes.</summary>
    public ReadOnlySpan<byte> Options => _bytes[MinHeaderLengthBytes.._headerLength];

    /// <summary>The options one by one.</summary>
    public Ipv4OptionEnumerator EnumeratedOptions => new(Options);

    /// <summary>What follows the header, up to the total length; shorter when <see cref="IsTruncated"/>.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[_headerLength..];

    /// <summary>Header and payload.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Whether bytes are missing at the end; only possible for <see cref="TryParseHeader"/>.</summary>
    public bool IsTruncated => TotalLengthBytes > _bytes.Length;

    /// <summary>Reads a complete packet.</summary>
    /// <param name="bytes">From the version byte on; link padding behind is allowed and cut off.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when cut off, of another version, or with an impossible header or total length.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv4View view) => TryParseHeader(bytes, out view) && !view.IsTruncated;

    /// <summary>Reads a packet whose end may be missing, such as the one quoted in an ICMP error or one captured in part.</summary>
    /// <param name="bytes">From the version byte on.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when the header itself is cut off, of another version, or with an impossible header or total length.</returns>
    public static bool TryParseHeader(ReadOnlySpan<byte> bytes, out Ipv4View view)
    {
        view = default;
        if (bytes.Length < MinHeaderLengthBytes || bytes[Field.VersionIhl] >> 4 != 4)
        {
            return false;
        }

        int headerLength = (bytes[Field.VersionIhl] & 0x0F) << 2;
        int totalLength = NetworkOrder.ReadUInt16(bytes, Field.TotalLength);
        if (headerLength < MinHeaderLengthBytes || headerLength > bytes.Length || totalLength < headerLength)
        {
            return false;
        }

        view = new Ipv4View(bytes[..Math.Min(totalLength, bytes.Length)], headerLength);
        return true;
    }

    /// <summary>The values of the header without options and checksum; always true, every header the view accepts fits.</summary>
    public bool TryGetFields(out Ipv4Fields fields)
    {
        fields = new Ipv4Fields
        {
            Source = Source,
            Destination = Destination,
            Protocol = Protocol,
            Ttl = Ttl,
            Tos = Tos,
            Identification = Identification,
            DontFragment = DontFragment,
            MoreFragments = MoreFragments,
            FragmentOffsetBytes = FragmentOffsetBytes,
            PayloadLengthBytes = TotalLengthBytes - _headerLength,
        };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the header.</summary>
    internal static class Field
    {
        public const int VersionIhl = 0, Tos = 1, TotalLength = 2, Identification = 4, FlagsAndOffset = 6, Ttl = 8, Protocol = 9,
                         Checksum = 10, Source = 12, Destination = 16;
    }
}
