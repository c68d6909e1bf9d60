namespace Dataplane.Tracking;

/// <summary>Where a TCP connection is, as seen from the middle (RFC 9293 3.3.2).</summary>
internal enum TcpPhase : byte
{
    /// <summary>Not followed until now: made before there were rules that ask for states.</summary>
    None = 0,

    /// <summary>The client has sent SYN.</summary>
    SynSent,

    /// <summary>The server has answered with SYN.</summary>
    SynReceived,

    /// <summary>The client has acknowledged that.</summary>
    Established,

    /// <summary>One side at least has sent FIN.</summary>
    Closing,

    /// <summary>Both sides have sent FIN, and both were acknowledged.</summary>
    TimeWait,

    /// <summary>Reset.</summary>
    Closed,
}
