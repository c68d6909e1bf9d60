namespace Dataplane.Packets;

/// <summary>How an Ethernet frame names what it carries.</summary>
public enum EthernetFraming : byte
{
    /// <summary>An EtherType (Ethernet II), as nearly all traffic.</summary>
    EthernetII,

    /// <summary>An IEEE 802.3 length and an 802.2 LLC header, such as spanning tree; the EtherType reads <see cref="EtherTypes.None"/>.</summary>
    Llc,

    /// <summary>A length, LLC, and a SNAP header (RFC 1042) whose EtherType counts when its organisation code is zero.</summary>
    Snap,
}
