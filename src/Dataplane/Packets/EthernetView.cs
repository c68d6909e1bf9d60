namespace Dataplane.Packets;

/// <summary>Read-only view of an Ethernet frame without its check sequence: Ethernet II or IEEE 802.3, VLAN tags included.</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws.
/// The guarantee ends when the type, length or tag bytes are changed.</remarks>
public readonly ref struct EthernetView
{
    /// <summary>Bytes of the header without VLAN tags (14).</summary>
    public const int HeaderLengthBytes = 14;

    /// <summary>The most VLAN tags followed (8, as the Linux kernel); a frame with more is refused.</summary>
    public const int MaxVlanTags = 8;

    private const int SnapLengthBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes; // Ends where the 802.3 length says, if there is one.
    private readonly ushort _etherType;
    private readonly byte _payloadOffset;
    private readonly byte _tags;
    private readonly EthernetFraming _framing;
    private readonly bool _truncated;

    private EthernetView(ReadOnlySpan<byte> bytes, ushort etherType, int payloadOffset, int tags, EthernetFraming framing, bool truncated)
    {
        _bytes = bytes;
        _etherType = etherType;
        _payloadOffset = (byte)payloadOffset;
        _tags = (byte)tags;
        _framing = framing;
        _truncated = truncated;
    }

    /// <summary>Station the frame is for.</summary>
    public MacAddress Destination => MacAddress.Read(_bytes[Field.Destination..]);

    /// <summary>Station the frame is from.</summary>
    public MacAddress Source => MacAddress.Read(_bytes[Field.Source..]);

    /// <summary>What the frame carries, behind VLAN tags and SNAP; <see cref="EtherTypes.None"/> for LLC without an EtherType.</summary>
    public ushort EtherType => _etherType;

    /// <summary>How the frame names what it carries.</summary>
    public EthernetFraming Framing => _framing;

    /// <summary>The number of VLAN tags, 0 to <see cref="MaxVlanTags"/>.</summary>
    public int VlanTagCount => _tags;

    /// <summary>Offset of <see cref="Payload"/> from the start of the frame, in bytes.</summary>
    public int PayloadOffset => _payloadOffset;

    /// <summary>Whether an IEEE 802.3 length field promises more bytes than there are.</summary>
    public bool IsTruncated => _truncated;

    /// <summary>What follows the headers. Behind an EtherType it may end in padding to the minimum frame size; behind a length it does not.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[_payloadOffset..];

    /// <summary>Reads the headers.</summary>
    /// <param name="bytes">A frame from its destination address on, without check sequence.</param>
    /// <param name="view">The view, when the result is true.</param>
    /// <returns>False when the header or a VLAN tag is cut off, or there are more than <see cref="MaxVlanTags"/> tags.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out EthernetView view)
    {
        view = default;
        if (bytes.Length < HeaderLengthBytes)
        {
            return false;
        }

        int typeOffset = Field.Type, tags = 0;
        ushort type = NetworkOrder.ReadUInt16(bytes, typeOffset);
        while (EtherTypes.IsVlan(type))
        {
            typeOffset += VlanTag.LengthBytes;
            if (++tags > MaxVlanTags || bytes.Length < typeOffset + 2)
            {
                return false;
            }

            type = NetworkOrder.ReadUInt16(bytes, typeOffset);
        }

        view = type >= EtherTypes.Minimum
            ? new EthernetView(bytes, type, typeOffset + 2, tags, EthernetFraming.EthernetII, truncated: false)
            : ParseLengthFramed(bytes, type, typeOffset + 2, tags);
        return true;
    }

    /// <summary>The VLAN tag at a position; 0 is the outermost.</summary>
    /// <returns>False when <paramref name="index"/> is not below <see cref="VlanTagCount"/>.</returns>
    public bool TryGetVlanTag(int index, out VlanTag tag)
    {
        bool exists = (uint)index < _tags;
        int offset = Field.Type + (VlanTag.LengthBytes * index);
        tag = exists ? VlanTag.FromControl(NetworkOrder.ReadUInt16(_bytes, offset), NetworkOrder.ReadUInt16(_bytes, offset + 2)) : default;
        return exists;
    }

    /// <summary>The values of the header; false when they do not fit <see cref="EthernetFields"/>: more than two tags, or LLC or SNAP framing.</summary>
    public bool TryGetFields(out EthernetFields fields)
    {
        fields = default;
        if (_framing != EthernetFraming.EthernetII || _tags > EthernetFields.MaxVlanTags)
        {
            return false;
        }

        bool outer = TryGetVlanTag(0, out VlanTag first), inner = TryGetVlanTag(1, out VlanTag second);
        fields = new EthernetFields
        {
            Destination = Destination,
            Source = Source,
            EtherType = _etherType,
            Vlan = outer ? first : null,
            InnerVlan = inner ? second : null,
        };
        return true;
    }

    private static EthernetView ParseLengthFramed(ReadOnlySpan<byte> bytes, int length, int offset, int tags)
    {
        bool truncated = length > bytes.Length - offset;
        ReadOnlySpan<byte> framed = truncated ? bytes : bytes[..(offset + length)];

        // RFC 1042: DSAP and SSAP 170, unnumbered information, then a three-byte organisation code and a type.
        if (framed.Length - offset < SnapLengthBytes || framed[offset] != 0xAA || framed[offset + 1] != 0xAA || framed[offset + 2] != 0x03)
        {
            return new EthernetView(framed, EtherTypes.None, offset, tags, EthernetFraming.Llc, truncated);
        }

        ushort type = NetworkOrder.ReadUInt16(framed, offset + 6);
        bool isEtherType = (framed[offset + 3] | framed[offset + 4] | framed[offset + 5]) == 0 && type >= EtherTypes.Minimum;
        return new EthernetView(framed, isEtherType ? type : EtherTypes.None, offset + SnapLengthBytes, tags, EthernetFraming.Snap, truncated);
    }

    /// <summary>Offsets in bytes from the start of the frame.</summary>
    internal static class Field
    {
        public const int Destination = 0, Source = 6, Type = 12;
    }
}
