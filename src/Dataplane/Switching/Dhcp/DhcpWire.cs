namespace Dataplane.Switching.Dhcp;

/// <summary>Numbers of the dynamic host configuration protocol (RFC 2131, RFC 2132).</summary>
internal static class DhcpWire
{
    public const ushort ServerPort = 67, ClientPort = 68;
    public const byte Request = 1, Reply = 2;
    public const byte Ethernet = 1, MacBytes = 6;

    /// <summary>Bytes before the options: the message of BOOTP and the cookie.</summary>
    public const int FixedBytes = 240;

    /// <summary>The shortest message of BOOTP (RFC 1542 2.1); some clients take nothing shorter.</summary>
    public const int LeastBytes = 300;

    /// <summary>The longest that a client must take that has not said otherwise (RFC 2131 2): 576 bytes with the headers of IPv4 and UDP.</summary>
    public const int MostBytes = 576 - 28;

    public const uint Cookie = 0x6382_5363;
    public const ushort FlagBroadcast = 0x8000;

    /// <summary>Offsets in bytes from the start of a message.</summary>
    public static class Field
    {
        public const int Operation = 0, HardwareType = 1, HardwareLength = 2, Transaction = 4, Flags = 10, Client = 12, Yours = 16, Relay = 24, Mac = 28, ServerName = 44, File = 108,
            Cookie = 236;
    }

    public static class Kind
    {
        public const byte Discover = 1, Offer = 2, Request = 3, Decline = 4, Ack = 5, Nak = 6, Release = 7, Inform = 8;
    }

    public static class Option
    {
        public const byte Pad = 0, Mask = 1, Router = 3, NameServer = 6, DomainName = 15, Mtu = 26, Broadcast = 28, Requested = 50, Lease = 51, Overload = 52, Kind = 53, Server = 54,
            ClientIdentifier = 61, Search = 119, ClasslessRoutes = 121, End = 255;
    }
}
