namespace Dataplane.Flows;

/// <summary>Where a flow is in its life; decides how long it may be idle.</summary>
internal enum FlowState : byte
{
    /// <summary>No entry.</summary>
    Free = 0,

    /// <summary>TCP before the handshake is seen from both sides, or from the middle on before both sides have spoken (RFC 5382 REQ-5: 4 minutes).</summary>
    TcpTransitory,

    /// <summary>TCP established (RFC 5382 REQ-5: 2 hours 4 minutes).</summary>
    TcpEstablished,

    /// <summary>TCP after a FIN or RST (RFC 5382 REQ-5 and RFC 7857 2.2: 4 minutes without a packet).</summary>
    TcpClosing,

    /// <summary>Given up while packets of the batch in hand may still refer to it; found by nobody any more.</summary>
    Ended,

    /// <summary>UDP (RFC 4787 REQ-5: 5 minutes).</summary>
    Udp,

    /// <summary>ICMP echo (RFC 5508 REQ-2: 60 seconds).</summary>
    IcmpQuery,

    /// <summary>Any other protocol, by addresses alone: as long as UDP.</summary>
    Other,
}
