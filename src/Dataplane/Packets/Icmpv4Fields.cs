namespace Dataplane.Packets;

/// <summary>The values of an ICMP header for IPv4 (RFC 792), host order.</summary>
public readonly record struct Icmpv4Fields
{
    /// <summary>Bytes of the header <see cref="Emit"/> writes (8).</summary>
    public const int EmittedLength = Icmpv4View.HeaderLengthBytes;

    /// <summary>Message type, see <see cref="Icmpv4Types"/>.</summary>
    public byte Type { get; init; }

    /// <summary>Code, whose meaning depends on the type.</summary>
    public byte Code { get; init; }

    /// <summary>The four bytes behind the checksum, whose meaning depends on the type.</summary>
    public uint RestOfHeader { get; init; }

    /// <summary>An echo request.</summary>
    public static Icmpv4Fields EchoRequest(ushort identifier, ushort sequenceNumber) =>
        new() { Type = Icmpv4Types.EchoRequest, RestOfHeader = ((uint)identifier << 16) | sequenceNumber };

    /// <summary>An echo reply.</summary>
    public static Icmpv4Fields EchoReply(ushort identifier, ushort sequenceNumber) =>
        new() { Type = Icmpv4Types.EchoReply, RestOfHeader = ((uint)identifier << 16) | sequenceNumber };

    /// <summary>Destination unreachable.</summary>
    /// <param name="code">Why: 0 network, 1 host, 2 protocol, 3 port, 4 fragmentation needed, 9, 10 and 13 prohibited.</param>
    /// <param name="nextHopMtuBytes">With code 4 the MTU of the way out (RFC 1191), otherwise 0.</param>
    public static Icmpv4Fields Unreachable(byte code, ushort nextHopMtuBytes = 0) =>
        new() { Type = Icmpv4Types.DestinationUnreachable, Code = code, RestOfHeader = nextHopMtuBytes };

    /// <summary>Time exceeded: code 0 in transit, 1 in reassembly.</summary>
    public static Icmpv4Fields TimeExceeded(byte code = 0) => new() { Type = Icmpv4Types.TimeExceeded, Code = code };

    /// <summary>Redirect: code 0 for the network, 1 for the host.</summary>
    public static Icmpv4Fields Redirect(byte code, IpAddress gateway) =>
        new() { Type = Icmpv4Types.Redirect, Code = code, RestOfHeader = (uint)gateway.Low };

    /// <summary>Parameter problem at an offset of the quoted packet.</summary>
    public static Icmpv4Fields ParameterProblem(byte problemOffset) =>
        new() { Type = Icmpv4Types.ParameterProblem, RestOfHeader = (uint)problemOffset << 24 };

    /// <summary>Writes the header in front of data that already stands there, and the checksum over both.</summary>
    /// <param name="message">Exactly the message: 8 bytes of room, then the data.</param>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> message)
    {
        NetworkOrder.WriteUInt32(message, Icmpv4View.Field.Rest, RestOfHeader);
        message[Icmpv4View.Field.Type] = Type;
        message[Icmpv4View.Field.Code] = Code;
        NetworkOrder.WriteUInt16(message, Icmpv4View.Field.Checksum, 0);
        NetworkOrder.WriteUInt16(message, Icmpv4View.Field.Checksum, InternetChecksum.Compute(message));
        return EmittedLength;
    }
}
