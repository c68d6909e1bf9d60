namespace Dataplane.Packets;

/// <summary>What the engine must remember about a packet besides its headers.</summary>
[Flags]
internal enum PacketMarks : ushort
{
    None = 0,

    /// <summary>Made by the engine itself: no TTL is taken off it, and it causes no ICMP error.</summary>
    LocalOrigin = 1,

    /// <summary>Came to a broadcast or multicast hardware address: causes no ICMP error and is not forwarded (RFC 1812 4.3.2.7, 5.3.4).</summary>
    LinkBroadcast = 2,

    /// <summary>Was held and comes back: it has been counted as received or originated before.</summary>
    Released = 4,

    /// <summary>Its frame was passed to another port without a copy: the port that received it no longer owns it.</summary>
    FramePassedOn = 8,

    /// <summary>The field of its TCP or UDP checksum means nothing while the packet is in the engine; it is written when the packet leaves.</summary>
    Unfinished = 16,

    /// <summary>TCP data or UDP datagrams of several segments in one frame; always <see cref="Unfinished"/> as well.</summary>
    SuperFrame = 32,

    /// <summary>A later fragment that has the ports of the first of its datagram.</summary>
    Followed = 64,

    /// <summary>Sent to the hardware address of another endpoint of its network, to which its next hop leads.</summary>
    Switched = 128,

    /// <summary>An ICMP error about a translated flow: it may go where the flow may.</summary>
    AboutFlow = 256,

    /// <summary>Stands in its outer header: where its headers are is not where the parser found them.</summary>
    Enclosed = 512,

    /// <summary>From one inside host to another by their mapped ports: has the sender's outside address, and is to be judged as what comes from outside.</summary>
    Hairpin = 1024,

    /// <summary>Has waited for a neighbour: its flow and backend have counted it before.</summary>
    Booked = 2048,

    /// <summary>The first fragment of an ICMP message all of which is here: how long it is stands with what later fragments have from their first.</summary>
    WholeMessage = 4096,

    /// <summary>A UDP super-frame of a tunnel: when the engine cuts it the datagrams have no checksum (RFC 6935), for what is inside has its own.</summary>
    NoUdpChecksum = 8192,
}
