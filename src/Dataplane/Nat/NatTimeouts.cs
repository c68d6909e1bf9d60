namespace Dataplane.Nat;

/// <summary>How long a translated flow may be idle before it is forgotten; the direction heard last counts. 1 second to 7 days each.</summary>
public sealed record NatTimeouts
{
    /// <summary>UDP: 5 minutes (RFC 4787 REQ-5: not less than 2 minutes).</summary>
    public TimeSpan Udp { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>TCP established: 2 hours 4 minutes (RFC 5382 REQ-5: not less).</summary>
    public TimeSpan TcpEstablished { get; init; } = TimeSpan.FromSeconds(7440);

    /// <summary>TCP before the handshake is complete: 4 minutes (RFC 5382 REQ-5: not less; RFC 7857 2.1 lets it be shortened against floods).</summary>
    public TimeSpan TcpTransitory { get; init; } = TimeSpan.FromSeconds(240);

    /// <summary>TCP after a FIN or RST: 4 minutes without a packet (RFC 5382 REQ-5, RFC 7857 2.1 and 2.2: not less).</summary>
    public TimeSpan TcpClosing { get; init; } = TimeSpan.FromSeconds(240);

    /// <summary>ICMP echo: 60 seconds (RFC 5508 REQ-2: not less).</summary>
    public TimeSpan Icmp { get; init; } = TimeSpan.FromSeconds(60);
}
