namespace Dataplane.Packets;

/// <summary>The version of the Internet Protocol an address or packet belongs to; the values are those of the version nibble on the wire.</summary>
public enum IpFamily : byte
{
    /// <summary>No address, the default of <see cref="IpAddress"/>.</summary>
    None = 0,

    /// <summary>IPv4 (RFC 791).</summary>
    V4 = 4,

    /// <summary>IPv6 (RFC 8200).</summary>
    V6 = 6,
}
