namespace Dataplane.Ports;

/// <summary>Why a stream link is down, or a peer was not let in.</summary>
internal enum StreamReason
{
    None,
    NoPeer,
    ConnectFailed,
    AcceptFailed,
    PeerClosed,
    PeerReset,
    PeerSilent,
    StreamFailed,
    FrameTruncated,
    FrameEmpty,
    FrameLength,
    SecondPeer,
    Replaced,
    TooManyHandshakes,
    HandshakeTimeout,
    TlsNotSpoken,
    TlsVersion,
    TlsFailed,
    TlsEndedByPeer,
    CertificateMissing,
    CertificateUntrusted,
    CertificateExpired,
    CertificateUsage,
    CertificateName,
    CertificateUnreadable,
    Closed,
}

/// <summary>How something ended.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Detail">What is to be known besides, such as the subject of a certificate; may be empty.</param>
internal readonly record struct StreamEnd(StreamReason Reason, string Detail = "")
{
    /// <inheritdoc/>
    public override string ToString() => Detail.Length > 0 ? $"{StreamReasons.TextOf(Reason)}: {Detail}" : StreamReasons.TextOf(Reason);
}

/// <summary>The reasons in words: what the port's status says, and what counters are called.</summary>
internal static class StreamReasons
{
    internal const int Count = (int)StreamReason.Closed + 1;

    public static string TextOf(StreamReason reason) => reason switch
    {
        StreamReason.NoPeer => "no peer yet",
        StreamReason.ConnectFailed => "no connection",
        StreamReason.AcceptFailed => "a peer could not be taken in",
        StreamReason.PeerClosed => "the peer has closed the connection",
        StreamReason.PeerReset => "the peer has reset the connection",
        StreamReason.PeerSilent => "the peer has acknowledged nothing for 30 seconds",
        StreamReason.StreamFailed => "the connection has failed",
        StreamReason.FrameTruncated => "the stream ended inside a frame",
        StreamReason.FrameEmpty => "the peer sent a frame of length 0",
        StreamReason.FrameLength => "the peer sent what cannot be the length of a frame",
        StreamReason.SecondPeer => "a second peer was refused",
        StreamReason.Replaced => "the peer has connected anew",
        StreamReason.TooManyHandshakes => "a peer was refused: too many handshakes at once",
        StreamReason.HandshakeTimeout => "the TLS handshake took too long",
        StreamReason.TlsNotSpoken => "the peer does not speak TLS",
        StreamReason.TlsVersion => "the peer does not speak TLS 1.3",
        StreamReason.TlsFailed => "TLS has failed",
        StreamReason.TlsEndedByPeer => "the peer has ended TLS, as one does that refuses our certificate",
        StreamReason.CertificateMissing => "the peer has shown no certificate",
        StreamReason.CertificateUntrusted => "the peer's certificate comes from no authority in ca",
        StreamReason.CertificateExpired => "the peer's certificate has expired or is not valid yet",
        StreamReason.CertificateUsage => "the peer's certificate is not for this use",
        StreamReason.CertificateName => "the peer's certificate has another name",
        StreamReason.CertificateUnreadable => "our own certificates cannot be used",
        StreamReason.Closed => "the port was closed",
        _ => "",
    };

    /// <summary>Name of the counter; empty where nothing is counted.</summary>
    public static string NameOf(StreamReason reason) => reason switch
    {
        StreamReason.ConnectFailed => "connect_failed",
        StreamReason.AcceptFailed => "accept_failed",
        StreamReason.PeerClosed => "peer_closed",
        StreamReason.PeerReset => "peer_reset",
        StreamReason.PeerSilent => "peer_silent",
        StreamReason.StreamFailed => "stream_failed",
        StreamReason.FrameTruncated => "frame_truncated",
        StreamReason.FrameEmpty => "frame_empty",
        StreamReason.FrameLength => "frame_length",
        StreamReason.SecondPeer => "second_peer",
        StreamReason.Replaced => "replaced",
        StreamReason.TooManyHandshakes => "too_many_handshakes",
        StreamReason.HandshakeTimeout => "handshake_timeout",
        StreamReason.TlsNotSpoken => "tls_not_spoken",
        StreamReason.TlsVersion => "tls_version",
        StreamReason.TlsFailed => "tls_failed",
        StreamReason.TlsEndedByPeer => "tls_ended_by_peer",
        StreamReason.CertificateMissing => "certificate_missing",
        StreamReason.CertificateUntrusted => "certificate_untrusted",
        StreamReason.CertificateExpired => "certificate_expired",
        StreamReason.CertificateUsage => "certificate_usage",
        StreamReason.CertificateName => "certificate_name",
        StreamReason.CertificateUnreadable => "certificate_unreadable",
        _ => "",
    };
}
