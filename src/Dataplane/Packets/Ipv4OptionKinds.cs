namespace Dataplane.Packets;

/// <summary>IPv4 option types (IANA ip-parameters registry), copied flag and class included.</summary>
public static class Ipv4OptionKinds
{
    /// <summary>End of the option list (RFC 791).</summary>
    public const byte EndOfList = 0;

    /// <summary>One byte of padding (RFC 791).</summary>
    public const byte NoOperation = 1;

    /// <summary>Record route (RFC 791).</summary>
    public const byte RecordRoute = 7;

    /// <summary>Timestamp (RFC 791).</summary>
    public const byte Timestamp = 68;

    /// <summary>Loose source route (RFC 791).</summary>
    public const byte LooseSourceRoute = 131;

    /// <summary>Strict source route (RFC 791).</summary>
    public const byte StrictSourceRoute = 137;

    /// <summary>Router alert (RFC 2113).</summary>
    public const byte RouterAlert = 148;
}
