namespace Dataplane.Packets;

/// <summary>Read-only view of an ICMP message for IPv4 (RFC 792).</summary>
/// <remarks>A value obtained from <see cref="TryParse"/> never reads outside its bytes and no accessor throws. The checksum is not part of it.</remarks>
public readonly ref struct Icmpv4View
{
    /// <summary>Bytes of the header every message has (8).</summary>
    public const int HeaderLengthBytes = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private Icmpv4View(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Message type, see <see cref="Icmpv4Types"/>.</summary>
    public byte Type => _bytes[Field.Type];

    /// <summary>Code, whose meaning depends on the type.</summary>
    public byte Code => _bytes[Field.Code];

    /// <summary>Checksum as stored.</summary>
    public ushort Checksum => NetworkOrder.ReadUInt16(_bytes, Field.Checksum);

    /// <summary>Whether the whole message adds up.</summary>
    public bool IsChecksumValid => InternetChecksum.Verify(_bytes);

    /// <summary>The four bytes behind the checksum, whose meaning depends on the type.</summary>
    public uint RestOfHeader => NetworkOrder.ReadUInt32(_bytes, Field.Rest);

    /// <summary>Identifier of an echo or timestamp message.</summary>
    public ushort Identifier => NetworkOrder.ReadUInt16(_bytes, Field.Rest);

    /// <summary>Sequence number of an echo or timestamp message.</summary>
    public ushort SequenceNumber => NetworkOrder.ReadUInt16(_bytes, Field.Rest + 2);

    /// <summary>The better gateway of a redirect.</summary>
    public IpAddress Gateway => IpAddress.ReadV4(_bytes[Field.Rest..]);

    /// <summary>Next-hop MTU in bytes of "fragmentation needed" (RFC 1191); 0 from routers older than that.</summary>
    public ushort NextHopMtuBytes => NetworkOrder.ReadUInt16(_bytes, Field.Rest + 2);

    /// <summary>Offset in the quoted packet that a parameter problem complains about.</summary>
    public byte ProblemOffset => _bytes[Field.Rest];

    /// <summary>Whether this is a request or a reply of an echo.</summary>
    public bool IsEcho => Type is Icmpv4Types.EchoRequest or Icmpv4Types.EchoReply;

    /// <summary>Whether the message reports an error about a packet it quotes.</summary>
    public bool IsError => Icmpv4Types.IsError(Type);

    /// <summary>What follows the header.</summary>
    public ReadOnlySpan<byte> Payload => _bytes[HeaderLengthBytes..];

    /// <summary>The whole message.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The packet an error quotes, usually cut off: read it by <see cref="Ipv4View.TryParseHeader"/>. Empty for other messages.</summary>
    public ReadOnlySpan<byte> QuotedPacket => IsError ? Payload[..QuotedLength] : default;

    /// <summary>The extension structure behind the quoted packet (RFC 4884), such as an MPLS stack; usually empty.</summary>
    public ReadOnlySpan<byte> Extensions => IsError ? Payload[QuotedLength..] : default;

    /// <summary>RFC 4884, 4: a length in units of 4 bytes, in the messages that may be extended; 0 in those that are not.</summary>
    private int QuotedLength
    {
        get
        {
            int stated = Type is Icmpv4Types.DestinationUnreachable or Icmpv4Types.TimeExceeded or Icmpv4Types.ParameterProblem
                ? _bytes[Field.QuotedLength] * 4
                : 0;
            return stated == 0 || stated > Payload.Length ? Payload.Length : stated;
        }
    }

    /// <summary>Reads a message; false when its header is cut off.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Icmpv4View view)
    {
        bool valid = bytes.Length >= HeaderLengthBytes;
        view = valid ? new Icmpv4View(bytes) : default;
        return valid;
    }

    /// <summary>The values of the header without the checksum; always true.</summary>
    public bool TryGetFields(out Icmpv4Fields fields)
    {
        fields = new Icmpv4Fields { Type = Type, Code = Code, RestOfHeader = RestOfHeader };
        return true;
    }

    /// <summary>Offsets in bytes from the start of the message.</summary>
    internal static class Field
    {
        public const int Type = 0, Code = 1, Checksum = 2, Rest = 4, QuotedLength = 5;
    }
}
