using Dataplane.Packets;

namespace Dataplane.Flows;

/// <summary>Echo request and reply, the ICMP messages that flows are made of (RFC 792, RFC 4443 4).</summary>
internal static class IcmpEcho
{
    /// <summary>Where the checksum stands in the message.</summary>
    public const int ChecksumAt = 2;

    /// <summary>Where the identifier stands, which takes the place of ports.</summary>
    public const int IdentifierAt = 4;

    /// <summary>Whether a message of this type is one.</summary>
    public static bool Is(byte protocol, byte type) => (protocol, type) is (IpProtocols.Icmp, 0 or 8) or (IpProtocols.Icmpv6, 128 or 129);

    /// <summary>The type that an echo message has in a family.</summary>
    public static byte TypeOf(byte type, bool isV4) => type switch
    {
        Icmpv4Types.EchoRequest or Icmpv6Types.EchoRequest => isV4 ? Icmpv4Types.EchoRequest : Icmpv6Types.EchoRequest,
        _ => isV4 ? Icmpv4Types.EchoReply : Icmpv6Types.EchoReply,
    };
}
