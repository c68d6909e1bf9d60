namespace Dataplane.Packets;

/// <summary>Read-only view of an ICMPv6 message (RFC 4443).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws. The checksum is not part of it.</remarks>
public readonly ref struct Icmpv6View
{
    /// <summary>Bytes of type, code, checksum and the four bytes every message of RFC 4443 and RFC 4861 has behind them (8).</summary>
    public const int HeaderLengthBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private Icmpv6View(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Message type, see <see cref="Icmpv6Types"/>.</summary>
    public byte Type => _bytes[Field.Type];

    /// <summary>Code, whose meaning depends on the type.</summary>
    public byte Code => _bytes[Field.Code];

    /// <summary>Checksum as stored.</summary>
    public ushort Checksum => NetworkOrder.ReadUInt16(_bytes, Field.Checksum);

    /// <summary>The four bytes behind the checksum, whose meaning depends on the type.</summary>
    public uint RestOfHeader => NetworkOrder.ReadUInt32(_bytes, Field.Rest);

    /// <summary>Identifier of an echo message.</summary>
    public ushort Identifier => NetworkOrder.ReadUInt16(_bytes, Field.Rest);

    /// <summary>Sequence number of an echo message.</summary>
    public ushort SequenceNumber => NetworkOrder.ReadUInt16(_bytes, Field.Rest + 2);

    /// <summary>MTU in bytes of "packet too big" (RFC 4443, 3.2).</summary>
    public uint MtuBytes => RestOfHeader;

    /// <summary>Offset in the quoted packet that a parameter problem complains about.</summary>
    public uint ProblemOffset => RestOfHeader;

    /// <summary>Whether this is a request or a reply of an echo.</summary>
    public bool IsEcho => Type is Icmpv6Types.EchoRequest or Icmpv6Types.EchoReply;

    /// <summary>Whether the message reports an error about a packet it quotes.</summary>
    public bool IsError => Icmpv6Types.IsError(Type);

    /// <summary>What follows the header.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[HeaderLengthBytes..];

    /// <summary>The whole message.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The packet an error quotes, possibly cut off: read it by <see cref="Ipv6View.TryParseHeader"/>. Empty for other messages.</summary>
    public ReadOnlySpan<byte> QuotedPacket => IsError ? Payload[..QuotedLength] : default;

    /// <summary>The extension structure behind the quoted packet (RFC 4884); usually empty.</summary>
    public ReadOnlySpan<byte> Extensions => IsError ? Payload[QuotedLength..] : default;

    /// <summary>RFC 4884, 4: a length in units of 8 bytes, in the two messages that may be extended; 0 when they are not.</summary>
    private int QuotedLength
    {
        get
        {
            int stated = Type is Icmpv6Types.DestinationUnreachable or Icmpv6Types.TimeExceeded ? _bytes[Field.Rest] * 8 : 0;
            return stated == 0 || stated > Payload.Length ? Payload.Length : stated;
        }
    }

    /// <summary>Reads a message; false when its header is cut off.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Icmpv6View view)
    {
        bool valid = bytes.Length >= HeaderLengthBytes;
        view = valid ? new Icmpv6View(bytes) : default;
        return valid;
    }

    /// <summary>Whether the whole message adds up with its pseudo-header.</summary>
    /// <param name="source">Source address.</param>
    /// <param name="destination">Final destination address.</param>
    public bool IsChecksumValid(IpAddress source, IpAddress destination) =>
        InternetChecksum.Verify(_bytes, InternetChecksum.PseudoHeader(source, destination, IpProtocols.Icmpv6, (uint)_bytes.Length));

    /// <summary>The values of the header without the checksum; always true.</summary>
    public bool TryGetFields(out Icmpv6Fields fields)
    {
        fields = new Icmpv6Fields { Type = Type, Code = Code, RestOfHeader = RestOfHeader };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the message.</summary>
    internal static class Field
    {
        public const int Type = 0, Code = 1, Checksum = 2, Rest = 4;
    }
}
