namespace Dataplane.Packets;

/// <summary>ICMPv6 message types (IANA icmpv6-parameters registry).</summary>
public static class Icmpv6Types
{
    /// <summary>Destination unreachable (RFC 4443, 3.1).</summary>
    public const byte DestinationUnreachable = 1;

    /// <summary>Packet too big (RFC 4443, 3.2).</summary>
    public const byte PacketTooBig = 2;

    /// <summary>Time exceeded (RFC 4443, 3.3): code 0 in transit, 1 in reassembly.</summary>
    public const byte TimeExceeded = 3;

    /// <summary>Parameter problem (RFC 4443, 3.4).</summary>
    public const byte ParameterProblem = 4;

    /// <summary>Echo request (RFC 4443, 4.1).</summary>
    public const byte EchoRequest = 128;

    /// <summary>Echo reply (RFC 4443, 4.2).</summary>
    public const byte EchoReply = 129;

    /// <summary>Router solicitation (RFC 4861, 4.1).</summary>
    public const byte RouterSolicitation = 133;

    /// <summary>Router advertisement (RFC 4861, 4.2).</summary>
    public const byte RouterAdvertisement = 134;

    /// <summary>Neighbour solicitation (RFC 4861, 4.3).</summary>
    public const byte NeighbourSolicitation = 135;

    /// <summary>Neighbour advertisement (RFC 4861, 4.4).</summary>
    public const byte NeighbourAdvertisement = 136;

    /// <summary>Redirect (RFC 4861, 4.5).</summary>
    public const byte Redirect = 137;

    /// <summary>Whether messages of the type quote a packet and must not be answered by another error: types below 128 (RFC 4443, 2.1).</summary>
    public static bool IsError(byte type) => type < EchoRequest;

    /// <summary>Whether the type belongs to neighbour discovery (RFC 4861).</summary>
    public static bool IsNeighbourDiscovery(byte type) => type is >= RouterSolicitation and <= Redirect;
}
