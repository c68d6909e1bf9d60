namespace Dataplane.Packets;

/// <summary>ICMP message types for IPv4 (IANA icmp-parameters registry).</summary>
public static class Icmpv4Types
{
    /// <summary>Echo reply (RFC 792).</summary>
    public const byte EchoReply = 0;

    /// <summary>Destination unreachable (RFC 792); code 4 asks for smaller packets (RFC 1191).</summary>
    public const byte DestinationUnreachable = 3;

    /// <summary>Source quench (RFC 792), no longer sent and ignored (RFC 6633).</summary>
    public const byte SourceQuench = 4;

    /// <summary>Redirect (RFC 792).</summary>
    public const byte Redirect = 5;

    /// <summary>Echo request (RFC 792).</summary>
    public const byte EchoRequest = 8;

    /// <summary>Time exceeded (RFC 792): code 0 in transit, 1 in reassembly.</summary>
    public const byte TimeExceeded = 11;

    /// <summary>Parameter problem (RFC 792).</summary>
    public const byte ParameterProblem = 12;

    /// <summary>Timestamp request (RFC 792).</summary>
    public const byte TimestampRequest = 13;

    /// <summary>Timestamp reply (RFC 792).</summary>
    public const byte TimestampReply = 14;

    /// <summary>Code of <see cref="DestinationUnreachable"/>: fragmentation needed and forbidden (RFC 1191).</summary>
    public const byte FragmentationNeededCode = 4;

    /// <summary>Whether messages of the type quote a packet and must not be answered by another error (RFC 1122, 3.2.2).</summary>
    public static bool IsError(byte type) => type is DestinationUnreachable or SourceQuench or Redirect or TimeExceeded or ParameterProblem;
}
