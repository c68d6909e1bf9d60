namespace Dataplane.Packets;

/// <summary>In-place writer of an ICMPv6 message (RFC 4443).</summary>
/// <remarks>Plain setters leave the checksum alone; call <see cref="FillChecksum"/> after them, or set through the members that adjust it.</remarks>
public readonly ref struct Icmpv6Editor
{
    private readonly Span<byte> _bytes;

    private Icmpv6Editor(Span<byte> bytes) => _bytes = bytes;

    /// <summary>Message type.</summary>
    public byte Type
    {
        get => _bytes[Icmpv6View.Field.Type];
        set => _bytes[Icmpv6View.Field.Type] = value;
    }

    /// <summary>Code, whose meaning depends on the type.</summary>
    public byte Code
    {
        get => _bytes[Icmpv6View.Field.Code];
        set => _bytes[Icmpv6View.Field.Code] = value;
    }

    /// <summary>Checksum as stored.</summary>
    public ushort Checksum
    {
        get => NetworkOrder.ReadUInt16(_bytes, Icmpv6View.Field.Checksum);
        set => NetworkOrder.WriteUInt16(_bytes, Icmpv6View.Field.Checksum, value);
    }

    /// <summary>The four bytes behind the checksum.</summary>
    public uint RestOfHeader
    {
        get => NetworkOrder.ReadUInt32(_bytes, Icmpv6View.Field.Rest);
        set => NetworkOrder.WriteUInt32(_bytes, Icmpv6View.Field.Rest, value);
    }

    /// <summary>Identifier of an echo message.</summary>
    public ushort Identifier
    {
        get => NetworkOrder.ReadUInt16(_bytes, Icmpv6View.Field.Rest);
        set => NetworkOrder.WriteUInt16(_bytes, Icmpv6View.Field.Rest, value);
    }

    /// <summary>What follows the header, writable.</summary>
    public Span<byte> Payload => _bytes[Icmpv6View.HeaderLengthBytes..];

    /// <summary>Makes an editor over a message <see cref="Icmpv6View.TryParse"/> accepts.</summary>
    /// <returns>False for any other bytes.</returns>
    public static bool TryCreate(Span<byte> bytes, out Icmpv6Editor editor)
    {
        bool valid = Icmpv6View.TryParse(bytes, out _);
        editor = valid ? new Icmpv6Editor(bytes) : default;
        return valid;
    }

    /// <summary>Computes the checksum from the whole message and its pseudo-header.</summary>
    public void FillChecksum(IpAddress source, IpAddress destination)
    {
        Checksum = 0;
        Checksum = InternetChecksum.Compute(_bytes, InternetChecksum.PseudoHeader(source, destination, IpProtocols.Icmpv6, (uint)_bytes.Length));
    }

    /// <summary>Applies a delta to the checksum (RFC 1624), such as the one an address change returned.</summary>
    public void AdjustChecksum(ushort delta) => Checksum = InternetChecksum.Adjust(Checksum, delta);

    /// <summary>Writes the identifier and adjusts the checksum.</summary>
    public void ReplaceIdentifier(ushort identifier)
    {
        AdjustChecksum(InternetChecksum.Delta(Identifier, identifier));
        Identifier = identifier;
    }

    /// <summary>Turns an echo request into its reply and adjusts the checksum; exchanging the addresses does not change it.</summary>
    /// <returns>False, with nothing changed, when this is no echo request.</returns>
    public bool TryMakeEchoReply()
    {
        if (Type != Icmpv6Types.EchoRequest)
        {
            return false;
        }

        AdjustChecksum(InternetChecksum.Delta((ushort)(Icmpv6Types.EchoRequest << 8), (ushort)(Icmpv6Types.EchoReply << 8)));
        Type = Icmpv6Types.EchoReply;
        return true;
    }
}
