namespace Dataplane.Packets;

/// <summary>What an ARP packet does (RFC 826); other values occur and are kept as they are.</summary>
public enum ArpOperation : ushort
{
    /// <summary>No value on the wire.</summary>
    None = 0,

    /// <summary>Who has the target address?</summary>
    Request = 1,

    /// <summary>The sender has the sender address.</summary>
    Reply = 2,
}
