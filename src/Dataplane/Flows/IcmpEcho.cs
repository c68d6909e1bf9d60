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
}
