namespace Dataplane.Tracking;

/// <summary>What a packet is to the connections that are known; a rule may ask for several.</summary>
[Flags]
public enum ConnectionStates : byte
{
    /// <summary>In a rule: any. Of a packet: not asked.</summary>
    None = 0,

    /// <summary>It begins a connection, or belongs to one that has not been answered yet.</summary>
    New = 1,

    /// <summary>It belongs to a connection that both sides have sent packets of.</summary>
    Established = 2,

    /// <summary>It is an ICMP error about a packet of a known connection (RFC 792, RFC 4443).</summary>
    Related = 4,

    /// <summary>
    /// It fits nothing: a TCP segment outside the window, with flags that make no sense, or of no known connection; an ICMP error that quotes
    /// nothing known; an echo reply nobody asked for.
    /// </summary>
    Invalid = 8,
}
