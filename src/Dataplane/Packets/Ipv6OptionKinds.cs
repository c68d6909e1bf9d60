namespace Dataplane.Packets;

/// <summary>Types of options in hop-by-hop and destination option headers (IANA ipv6-parameters registry).</summary>
public static class Ipv6OptionKinds
{
    /// <summary>One byte of padding, without length (RFC 8200, 4.2).</summary>
    public const byte Pad1 = 0;

    /// <summary>Padding of two and more bytes (RFC 8200, 4.2).</summary>
    public const byte PadN = 1;

    /// <summary>Router alert (RFC 2711).</summary>
    public const byte RouterAlert = 5;

    /// <summary>Jumbo payload (RFC 2675).</summary>
    public const byte JumboPayload = 0xC2;
}
