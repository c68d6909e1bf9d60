namespace Dataplane.Packets;

/// <summary>The values of an ICMPv6 header (RFC 4443), host order.</summary>
public readonly record struct Icmpv6Fields
{
    /// <summary>Bytes of the header <see cref="Emit"/> writes (8).</summary>
    public const int EmittedLength = Icmpv6View.HeaderLengthBytes;

    /// <summary>Message type, see <see cref="Icmpv6Types"/>.</summary>
    public byte Type { get; init; }

    /// <summary>Code, whose meaning depends on the type.</summary>
    public byte Code { get; init; }

    /// <summary>The four bytes behind the checksum, whose meaning depends on the type.</summary>
    public uint RestOfHeader { get; init; }

    /// <summary>An echo request.</summary>
    public static Icmpv6Fields EchoRequest(ushort identifier, ushort sequenceNumber) =>
        new() { Type = Icmpv6Types.EchoRequest, RestOfHeader = ((uint)identifier << 16) | sequenceNumber };

    /// <summary>An echo reply.</summary>
    public static Icmpv6Fields EchoReply(ushort identifier, ushort sequenceNumber) =>
        new() { Type = Icmpv6Types.EchoReply, RestOfHeader = ((uint)identifier << 16) | sequenceNumber };

    /// <summary>Destination unreachable: code 0 no route, 1 prohibited, 3 address, 4 port, 6 rejected route.</summary>
    public static Icmpv6Fields Unreachable(byte code) => new() { Type = Icmpv6Types.DestinationUnreachable, Code = code };

    /// <summary>Packet too big.</summary>
    /// <param name="mtuBytes">MTU of the way out.</param>
    public static Icmpv6Fields PacketTooBig(uint mtuBytes) => new() { Type = Icmpv6Types.PacketTooBig, RestOfHeader = mtuBytes };

    /// <summary>Time exceeded: code 0 in transit, 1 in reassembly.</summary>
    public static Icmpv6Fields TimeExceeded(byte code = 0) => new() { Type = Icmpv6Types.TimeExceeded, Code = code };

    /// <summary>Parameter problem at an offset of the quoted packet: code 0 field, 1 next header, 2 option, 3 incomplete header chain (RFC 7112).</summary>
    public static Icmpv6Fields ParameterProblem(byte code, uint problemOffset) =>
        new() { Type = Icmpv6Types.ParameterProblem, Code = code, RestOfHeader = problemOffset };

    /// <summary>Writes the header in front of data that already stands there, and the checksum over both and the pseudo-header.</summary>
    /// <param name="message">Exactly the message: 8 bytes of room, then the data.</param>
    /// <param name="source">Source address of the packet.</param>
    /// <param name="destination">Final destination address of the packet.</param>
    /// <returns>The bytes written, <see cref="EmittedLength"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Less room than <see cref="EmittedLength"/>.</exception>
    public int Emit(Span<byte> message, IpAddress source, IpAddress destination)
    {
        NetworkOrder.WriteUInt32(message, Icmpv6View.Field.Rest, RestOfHeader);
        message[Icmpv6View.Field.Type] = Type;
        message[Icmpv6View.Field.Code] = Code;
        NetworkOrder.WriteUInt16(message, Icmpv6View.Field.Checksum, 0);
        uint partial = InternetChecksum.PseudoHeader(source, destination, IpProtocols.Icmpv6, (uint)message.Length);
        NetworkOrder.WriteUInt16(message, Icmpv6View.Field.Checksum, InternetChecksum.Compute(message, partial));
        return EmittedLength;
    }
}
