namespace Dataplane.Mesh.Relay;

/// <summary>Why a connection ended, or was never carried. The names in metrics and records are these in lower case with underscores.</summary>
public enum RelayReason
{
    /// <summary>Both sides ended it in order.</summary>
    Completed,

    /// <summary>More connections than the relay may have.</summary>
    TooManyConnections,

    /// <summary>More connections than one source may have.</summary>
    TooManyFromSource,

    /// <summary>What a trusted source sent first is no PROXY header of version 2.</summary>
    ProxyHeaderInvalid,

    /// <summary>The client sent no whole greeting, or the handshake did not end, in time.</summary>
    HandshakeTimeout,

    /// <summary>The peer went away during the handshake.</summary>
    HandshakeAborted,

    /// <summary>The peer does not speak TLS.</summary>
    TlsNotSpoken,

    /// <summary>The peer offers no version of TLS that is allowed here.</summary>
    TlsVersion,

    /// <summary>The greeting of the client is none that TLS allows, or larger than is read.</summary>
    ClientHelloInvalid,

    /// <summary>TLS failed for another reason.</summary>
    TlsFailed,

    /// <summary>The peer ended TLS by an alert, as one does that refuses our certificate.</summary>
    TlsEndedByPeer,

    /// <summary>The peer has shown no certificate.</summary>
    CertificateMissing,

    /// <summary>The peer's certificate comes from no authority of its trust domain.</summary>
    CertificateUntrusted,

    /// <summary>The peer's certificate has ended, or is not valid yet.</summary>
    CertificateExpired,

    /// <summary>The peer's certificate is not for this use.</summary>
    CertificateUsage,

    /// <summary>The peer's certificate carries no SPIFFE identity, or not the one that is wanted.</summary>
    IdentityWrong,

    /// <summary>The own certificate has ended, so that no peer would believe it.</summary>
    OwnCertificateExpired,

    /// <summary>There is no certificate for the name that the client asked for.</summary>
    ServerNameUnknown,

    /// <summary>No route is for the name or the destination of the connection.</summary>
    NoRoute,

    /// <summary>The destination before it was redirected is not known, or is the relay itself.</summary>
    NoOriginalDestination,

    /// <summary>A policy refused it; the record names the policy.</summary>
    Denied,

    /// <summary>A new policy refuses what an earlier one allowed; the record names the policy.</summary>
    DeniedLater,

    /// <summary>The destination has refused the connection.</summary>
    ConnectRefused,

    /// <summary>The destination did not answer in time.</summary>
    ConnectTimeout,

    /// <summary>There is no way to the destination.</summary>
    ConnectUnreachable,

    /// <summary>The connection to the destination failed for another reason.</summary>
    ConnectFailed,

    /// <summary>The peer has reset the connection.</summary>
    Reset,

    /// <summary>The peer's stream ended without its close_notify: somebody may have cut it off.</summary>
    Truncated,

    /// <summary>The peer has acknowledged nothing any more.</summary>
    PeerSilent,

    /// <summary>Nothing was carried for as long as the limit says.</summary>
    IdleTimeout,

    /// <summary>The relay's deadline for ending its connections was over.</summary>
    DrainDeadline,

    /// <summary>A socket failed in another way.</summary>
    StreamFailed,

    /// <summary>A fault of the relay itself; the log has it.</summary>
    InternalError,
}
