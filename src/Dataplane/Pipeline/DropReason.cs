namespace Dataplane.Pipeline;

/// <summary>Why a packet was not sent on: one closed list for the whole engine, one counter each.</summary>
/// <remarks>Values that begin with <c>Consumed</c> are packets the engine was itself the receiver of, or made others of.
/// The snake-case form of a name (<c>ttl_expired</c>) is its name in metrics, logs and files.</remarks>
public enum DropReason : byte
{
    /// <summary>Not dropped.</summary>
    None = 0,

    /// <summary>Shorter than an Ethernet header and its VLAN tags.</summary>
    TruncatedEthernet,

    /// <summary>Sent to another station's hardware address.</summary>
    NotForUs,

    /// <summary>No interface is configured for the port and VLAN it came by.</summary>
    NoInterface,

    /// <summary>Neither IPv4, IPv6 nor ARP.</summary>
    UnknownEtherType,

    /// <summary>ARP packet too short or not for Ethernet and IPv4 (RFC 826).</summary>
    MalformedArp,

    /// <summary>IP packet cut off: the frame ends before its header or before the length it states.</summary>
    TruncatedIp,

    /// <summary>IP version field does not fit the EtherType.</summary>
    BadIpVersion,

    /// <summary>IPv4 header length under 20 bytes.</summary>
    BadIpHeaderLength,

    /// <summary>IP length field shorter than the header.</summary>
    BadIpLength,

    /// <summary>IPv4 header checksum wrong (RFC 1812 5.2.2).</summary>
    BadIpChecksum,

    /// <summary>IPv6 extension headers cut off, in the wrong place or more than the parser follows (RFC 8200 4).</summary>
    BadExtensionHeader,

    /// <summary>Fragment whose data would end beyond 65,535 bytes, or first fragment without the whole transport header (RFC 1858, RFC 7112).</summary>
    BadFragment,

    /// <summary>TCP, UDP or ICMP header cut off, or its length field impossible.</summary>
    TruncatedTransport,

    /// <summary>What its offload header says does not fit the packet: kind or size of segments, place of the checksum.</summary>
    BadOffload,

    /// <summary>To be taken out of an outer header, but what is behind that is no IP packet, or its UDP checksum is wrong.</summary>
    TunnelMalformed,

    /// <summary>To be taken out of an outer header, from a source that is not listened to.</summary>
    TunnelSource,

    /// <summary>To be taken out of an outer header, but only a fragment of it.</summary>
    TunnelFragment,

    /// <summary>Taken out of an outer header, and to be taken out again.</summary>
    TunnelNested,

    /// <summary>Marked outside as having met congestion, of which the sender of the packet inside would only learn by its loss (RFC 6040, 4.2).</summary>
    TunnelCongestion,

    /// <summary>Source address that cannot be a sender: multicast, broadcast, loopback, class E, unspecified (RFC 1812 5.3.7).</summary>
    MartianSource,

    /// <summary>Destination address that must not be forwarded: loopback, class E, unspecified, link-local (RFC 1812 5.3.7, RFC 4007).</summary>
    MartianDestination,

    /// <summary>Source address is one of the engine's own.</summary>
    OwnSource,

    /// <summary>From an endpoint, but not from its hardware address.</summary>
    SpoofedMac,

    /// <summary>From an endpoint under an address that is not its own, or from elsewhere under an endpoint's.</summary>
    SpoofedAddress,

    /// <summary>ARP or neighbour discovery message of an endpoint that says what is not so.</summary>
    SpoofedNeighbour,

    /// <summary>Router advertisement or redirect of an endpoint: the router of its network is the engine (RFC 6105).</summary>
    RogueRouter,

    /// <summary>From an endpoint to another's DHCP client: the DHCP server of its network is the engine.</summary>
    RogueDhcp,

    /// <summary>Sent to a hardware address that no other endpoint of the network has.</summary>
    UnknownStation,

    /// <summary>On a bridge, from a group's hardware address or none: nobody sends from such (IEEE 802.3 3.2.3).</summary>
    BadSourceMac,

    /// <summary>On a bridge, to one of the addresses that bridges keep to themselves, such as those of spanning tree, LACP and LLDP (IEEE 802.1Q, table 8-1).</summary>
    BridgeReserved,

    /// <summary>On a bridge, to an address behind the port it came by: it is there already.</summary>
    BridgeSamePort,

    /// <summary>On a bridge, to everybody, to a group or to an unknown address, and more of these than the port may send.</summary>
    FloodLimited,

    /// <summary>On a bridge, from an address that is behind another port, when too many have moved to this one.</summary>
    MacMoveLimited,

    /// <summary>To a tunnel's end or by the link from another host, but not VXLAN: cut off, without a valid identifier, in fragments, or with a wrong checksum (RFC 7348 5).</summary>
    OverlayMalformed,

    /// <summary>VXLAN, or a frame by the link from another host, with an identifier that no network shared with it has.</summary>
    OverlayUnknownVni,

    /// <summary>VXLAN from an address that is no peer of the network.</summary>
    OverlayUnknownPeer,

    /// <summary>From an endpoint to a tunnel's end, its own host's or another's.</summary>
    OverlayForged,

    /// <summary>VXLAN that was marked with congestion on its way, around a packet whose sender knows no such marks (RFC 6040 4.2).</summary>
    OverlayCongestion,

    /// <summary>VXLAN to a peer whose way leads through an overlay again.</summary>
    OverlayLoop,

    /// <summary>More than the endpoint that sends or receives it may.</summary>
    RateLimited,

    /// <summary>From an endpoint, a network or a port of a bridge to another that it is kept apart from.</summary>
    NetworkIsolated,

    /// <summary>To an address of a network that no endpoint has.</summary>
    NoEndpoint,

    /// <summary>Broadcast that routers do not forward: limited, directed (RFC 2644), or unicast sent to a broadcast hardware address.</summary>
    Broadcast,

    /// <summary>Multicast; there is no multicast routing.</summary>
    Multicast,

    /// <summary>A filter rule denied it; the rule's counter says which.</summary>
    FilterRule,

    /// <summary>No filter rule matched and the default is deny.</summary>
    FilterDefault,

    /// <summary>Fragment that overlaps, or repeats, another of its datagram (RFC 5722), and whatever else comes of a datagram with overlaps.</summary>
    FragmentOverlap,

    /// <summary>Fragment that waited in vain for the first of its datagram, which has the ports.</summary>
    FragmentTimeout,

    /// <summary>No room for another fragment to wait for the first of its datagram, or a datagram in more pieces than are followed.</summary>
    FragmentStoreFull,

    /// <summary>Protocol, or ICMP message, whose source would need to be translated and cannot: TCP, UDP and ICMP echo can.</summary>
    NatUnsupported,

    /// <summary>To a mapped port, from an address or port that its rule's filtering does not let in: the inside has not sent to it from that port.</summary>
    NatFiltered,

    /// <summary>Between the families, and the IPv4 address may not stand behind the rule's prefix: no host has it, or behind the well-known prefix not the whole internet
    /// knows it (RFC 6052 3.1).</summary>
    Nat64Address,

    /// <summary>The service has no backend that takes new flows; whether the sender hears of it is the service's choice.</summary>
    NoBackend,

    /// <summary>Its flow's backend has gone, and the service says that such flows are reset: the sender got a TCP reset.</summary>
    FlowReset,

    /// <summary>No free flow entry and none old enough to give up.</summary>
    FlowTableFull,

    /// <summary>Every source port tried for the translated flow is taken.</summary>
    NoFreePort,

    /// <summary>TTL or hop limit used up.</summary>
    TtlExpired,

    /// <summary>No route to the destination.</summary>
    NoRoute,

    /// <summary>The route says: drop silently.</summary>
    RouteBlackhole,

    /// <summary>The route says: refuse as unreachable.</summary>
    RouteUnreachable,

    /// <summary>The route says: refuse as administratively prohibited.</summary>
    RouteProhibited,

    /// <summary>Longer than the way out allows, and not to be fragmented.</summary>
    PacketTooBig,

    /// <summary>The next hop did not answer ARP or neighbour discovery.</summary>
    NeighbourUnresolved,

    /// <summary>Too many packets already wait for this next hop, or for all.</summary>
    NeighbourQueueFull,

    /// <summary>The neighbour table is full of live entries.</summary>
    NeighbourTableFull,

    /// <summary>ARP or neighbour discovery packet that fails its checks (RFC 826, RFC 4861 7.1).</summary>
    BadNeighbourMessage,

    /// <summary>ARP or neighbour discovery message not about us.</summary>
    NeighbourNotForUs,

    /// <summary>To one of the engine's addresses, and nothing there takes it.</summary>
    LocalUnreachable,

    /// <summary>ICMP message with a wrong checksum, or an error that belongs to no flow.</summary>
    IcmpInvalid,

    /// <summary>UDP datagram to a name server that is no query: too short, itself a response, damaged, or several in one.</summary>
    DnsInvalid,

    /// <summary>Query of a source that asks a name server more often than allowed.</summary>
    DnsRateLimited,

    /// <summary>DHCP message that is none, is damaged, or is about another hardware address than its sender's (RFC 2131).</summary>
    DhcpInvalid,

    /// <summary>DHCP message of an endpoint that has no IPv4 address to be told of.</summary>
    DhcpNoAddress,

    /// <summary>The port's transmit ring was full.</summary>
    TransmitRingFull,

    /// <summary>The ring to the worker that owns the packet's flow, or the port it was to leave by, was full.</summary>
    WorkerRingFull,

    /// <summary>The port's link is down or its interface gone.</summary>
    LinkDown,

    /// <summary>Longer than a transmit slot, or come in more buffers than an AF_XDP port puts together.</summary>
    FrameTooLong,

    /// <summary>The engine's own bounded buffers were full, and the packet could not be split without them.</summary>
    NoBuffer,

    /// <summary>A stage of the user dropped it.</summary>
    UserStage,

    /// <summary>No stage decided anything: a fault of the pipeline's order or of a user's stage.</summary>
    Undecided,

    /// <summary>The engine stopped, or a reload took away what it waited for.</summary>
    Stopped,

    /// <summary>ARP message taken in by the engine.</summary>
    ConsumedArp,

    /// <summary>Neighbour discovery message taken in by the engine.</summary>
    ConsumedNeighbourDiscovery,

    /// <summary>ICMP message to the engine taken in.</summary>
    ConsumedIcmp,

    /// <summary>ICMP error about an outer header of the engine's taken in; the sender of the packet inside is told.</summary>
    ConsumedTunnelError,

    /// <summary>Query taken in by a name server of the engine.</summary>
    ConsumedDns,

    /// <summary>DHCP message taken in by the engine, and answered if it wants an answer.</summary>
    ConsumedDhcp,

    /// <summary>Super-frame cut into segments, since the port it leaves by takes none; or one from another host of which every frame was dropped for its own reason. Each segment counts as originated.</summary>
    ConsumedSegmented,

    /// <summary>TCP segment from another host joined with the one before it to a super-frame, in which it goes on.</summary>
    ConsumedJoined,
}
