namespace Dataplane.Packets;

/// <summary>TCP option kinds (IANA tcp-parameters registry).</summary>
public static class TcpOptionKinds
{
    /// <summary>End of the option list (RFC 9293, 3.2).</summary>
    public const byte EndOfList = 0;

    /// <summary>One byte of padding (RFC 9293, 3.2).</summary>
    public const byte NoOperation = 1;

    /// <summary>Maximum segment size (RFC 9293, 3.7.1).</summary>
    public const byte MaxSegmentSize = 2;

    /// <summary>Window scale (RFC 7323, 2).</summary>
    public const byte WindowScale = 3;

    /// <summary>Selective acknowledgments permitted (RFC 2018).</summary>
    public const byte SackPermitted = 4;

    /// <summary>Selective acknowledgment (RFC 2018).</summary>
    public const byte Sack = 5;

    /// <summary>Timestamps (RFC 7323, 3).</summary>
    public const byte Timestamps = 8;
}
