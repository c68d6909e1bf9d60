using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Tls;

/// <summary>How handshakes are made: versions, suites, certificates.</summary>
internal static class TlsSettings
{
    /// <summary>
    /// What TLS 1.2 is allowed: forward secrecy and authenticated encryption only (RFC 9325, 4.2). Setting suites keeps the runtime from remembering
    /// sessions, so it is done only where TLS 1.2 is; all suites of TLS 1.3 are good ones.
    /// </summary>
#pragma warning disable CA1416 // The whole relay is for Linux, where suites can be chosen.
    private static readonly CipherSuitesPolicy s_strong = new(
    [
        TlsCipherSuite.TLS_AES_128_GCM_SHA256, TlsCipherSuite.TLS_AES_256_GCM_SHA384, TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]);
#pragma warning restore CA1416

    /// <summary>
    /// Believes nobody. The runtime builds the chain of every peer by the policy that it is given before it asks our judge, who builds it himself, but only for
    /// peers that he does not know: so what the runtime builds is to cost as little as it can, and its verdict is not used.
    /// </summary>
    private static readonly X509ChainPolicy s_unjudged = new()
    {
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        RevocationMode = X509RevocationMode.NoCheck,
        DisableCertificateDownloads = true,
    };

    /// <summary>A server of the mesh. No session is resumed: a resumed one would pass by certificates that have changed since.</summary>
    internal static SslServerAuthenticationOptions MeshServer(IdentitySnapshot identity, PeerJudge judge) => new()
    {
        ServerCertificateContext = identity.Context,
        ClientCertificateRequired = true,
        EnabledSslProtocols = SslProtocols.Tls13,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = s_unjudged,
        RemoteCertificateValidationCallback = judge.Admits,
        AllowRenegotiation = false,
        AllowTlsResume = false,
    };

    /// <summary>A client of the mesh.</summary>
    internal static SslClientAuthenticationOptions MeshClient(IdentitySnapshot identity, PeerJudge judge, string serverName) => new()
    {
        TargetHost = serverName,
        ClientCertificateContext = identity.Context,
        EnabledSslProtocols = SslProtocols.Tls13,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = s_unjudged,
        RemoteCertificateValidationCallback = judge.Admits,
        AllowRenegotiation = false,
        AllowTlsResume = false,
    };

    /// <summary>A server of the edge. Sessions are resumed: no certificate of a client depends on it.</summary>
    internal static SslServerAuthenticationOptions Edge(SslStreamCertificateContext certificate, bool allowTls12, List<SslApplicationProtocol>? protocols) => new()
    {
        ServerCertificateContext = certificate,
        EnabledSslProtocols = allowTls12 ? SslProtocols.Tls13 | SslProtocols.Tls12 : SslProtocols.Tls13,
        CipherSuitesPolicy = allowTls12 ? s_strong : null,
        ApplicationProtocols = protocols,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        AllowRenegotiation = false,
    };

    /// <summary>A client of a server outside the mesh.</summary>
    /// <param name="authorities">Whom to believe; null: the system's.</param>
    /// <param name="serverName">The name to ask for, which its certificate must have.</param>
    /// <param name="protocol">The protocol agreed with the client; default: none.</param>
    internal static SslClientAuthenticationOptions Outside(X509ChainPolicy? authorities, string serverName, SslApplicationProtocol protocol) => new()
    {
        TargetHost = serverName,
        EnabledSslProtocols = SslProtocols.Tls13 | SslProtocols.Tls12,
        CipherSuitesPolicy = s_strong,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = authorities,
        ApplicationProtocols = protocol.Protocol.IsEmpty ? null : [protocol],
        AllowRenegotiation = false,
    };
}
