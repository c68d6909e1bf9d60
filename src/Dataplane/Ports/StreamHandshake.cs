using System.Formats.Asn1;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Ports;

/// <summary>One TLS handshake: version 1.3 only, a certificate on both sides, each judged by the other.</summary>
/// <param name="target">Name of a server that is connected to.</param>
/// <param name="role">Which side this is.</param>
/// <param name="credentials">What is shown and who is believed.</param>
/// <param name="linkOf">The link whose peer a genuine certificate is; null: nobody's.</param>
internal sealed class StreamHandshake(string target, PortRole role, StreamCredentials credentials, Func<X509Certificate2, StreamLink?> linkOf)
{
    private static readonly Oid s_serverUse = new("1.3.6.1.5.5.7.3.1"), s_clientUse = new("1.3.6.1.5.5.7.3.2");
    private StreamEnd _judgement = new(StreamReason.None);
    private bool _isGreeted;

    /// <summary>The subject of the peer's certificate, once it has been judged.</summary>
    internal string PeerSubject { get; private set; } = "";

    /// <summary>The link that the peer belongs to, once its certificate has been judged.</summary>
    internal StreamLink? Link { get; private set; }

    /// <summary>Shakes hands.</summary>
    /// <returns>Why it failed, or <see cref="StreamReason.None"/>.</returns>
    /// <exception cref="OperationCanceledException">It took too long, or the port closes.</exception>
    internal async Task<StreamEnd> RunAsync(SslStream stream, CancellationToken cancellation)
    {
        try
        {
            await (role == PortRole.Server
                ? stream.AuthenticateAsServerAsync(GreetAsync, null, cancellation)
                : stream.AuthenticateAsClientAsync(ClientOptions(), cancellation)).ConfigureAwait(false);
            return _judgement;
        }
        catch (Exception error) when (error is AuthenticationException or IOException or InvalidOperationException or CryptographicException or NotSupportedException)
        {
            // Not supported: to a first record that is no greeting the runtime goes on without asking for our options, and then finds no certificate.
            return _judgement.Reason != StreamReason.None ? _judgement : Judge(error);
        }
    }

    private ValueTask<SslServerAuthenticationOptions> GreetAsync(SslStream stream, SslClientHelloInfo hello, object? state, CancellationToken cancellation)
    {
        _isGreeted = true;

        // The handshake goes on, so that the peer is told by an alert.
        if (!hello.SslProtocols.HasFlag(SslProtocols.Tls13))
            _judgement = new StreamEnd(StreamReason.TlsVersion, $"it offers {hello.SslProtocols}");
        return ValueTask.FromResult(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = credentials.Own,
            ClientCertificateRequired = true,
            EnabledSslProtocols = SslProtocols.Tls13,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            CertificateChainPolicy = credentials.PolicyFor(s_clientUse),
            RemoteCertificateValidationCallback = Admits,
            AllowRenegotiation = false,

            // A resumed session would pass by the certificates, which may have changed.
            AllowTlsResume = false,
        });
    }

    private SslClientAuthenticationOptions ClientOptions() => new()
    {
        TargetHost = IsUri(target) ? "" : target,
        ClientCertificateContext = credentials.Own,
        EnabledSslProtocols = SslProtocols.Tls13,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = credentials.PolicyFor(s_serverUse),
        RemoteCertificateValidationCallback = Admits,
        AllowRenegotiation = false,
        AllowTlsResume = false,
    };

    private bool Admits(object sender, X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors)
    {
        _judgement = shown is X509Certificate2 certificate && chain is not null
            ? new StreamEnd(Judge(certificate, chain, errors), certificate.Subject)
            : new StreamEnd(StreamReason.CertificateMissing);
        PeerSubject = _judgement.Detail;
        return _judgement.Reason == StreamReason.None;
    }

    private StreamReason Judge(X509Certificate2 certificate, X509Chain chain, SslPolicyErrors errors)
    {
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            X509ChainStatusFlags all = chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (flags, status) => flags | status.Status);
            return all switch
            {
                X509ChainStatusFlags.NotTimeValid => StreamReason.CertificateExpired,
                X509ChainStatusFlags.NotValidForUsage => StreamReason.CertificateUsage,
                _ => StreamReason.CertificateUntrusted,
            };
        }

        Link = linkOf(certificate);
        return Link is not null ? StreamReason.None : StreamReason.CertificateName;
    }

    /// <summary>What an exception means when the certificates were not the matter.</summary>
    private StreamEnd Judge(Exception error)
    {
        string text = StreamErrors.TlsTextOf(error) ?? StreamErrors.OneLine(error.Message);
        if (StreamErrors.SocketErrorOf(error) is not null)
            return StreamErrors.Of(error);
        if (error is IOException && StreamErrors.TlsTextOf(error) is null)
            return new StreamEnd(StreamReason.PeerClosed, "during the TLS handshake");

        // A server has not seen a greeting then; for a client, the runtime could not read a record, and did not get as far as the library.
        if (role == PortRole.Server ? !_isGreeted : error is AuthenticationException { InnerException: null })
            return new StreamEnd(StreamReason.TlsNotSpoken);
        return new StreamEnd(text.Contains("alert", StringComparison.OrdinalIgnoreCase) ? StreamReason.TlsEndedByPeer : StreamReason.TlsFailed, text);
    }

    /// <summary>Whether a certificate has a subject alternative name (RFC 5280, 4.2.1.6). The subject's common name is no name (RFC 9525, 2).</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="name">The name.</param>
    /// <param name="allowWildcards">Whether a name such as <c>*.example.org</c> stands for it.</param>
    internal static bool HasName(X509Certificate2 certificate, string name, bool allowWildcards = true)
    {
        if (!IsUri(name))
            return certificate.MatchesHostname(name, allowWildcards, allowCommonName: false);
        foreach (X509Extension extension in certificate.Extensions)
        {
            if (extension is X509SubjectAlternativeNameExtension && HasUri(extension.RawData, name))
                return true;
        }

        return false;
    }

    private static bool IsUri(string name) => name.Contains("://", StringComparison.Ordinal);

    private static bool HasUri(byte[] alternativeNames, string uri)
    {
        // GeneralName ::= CHOICE { ... uniformResourceIdentifier [6] IA5String ... }
        var tag = new Asn1Tag(TagClass.ContextSpecific, 6);
        AsnReader names = new AsnReader(alternativeNames, AsnEncodingRules.DER).ReadSequence();
        while (names.HasData)
        {
            if (!names.PeekTag().HasSameClassAndValue(tag))
                names.ReadEncodedValue();
            else if (names.ReadCharacterString(UniversalTagNumber.IA5String, tag) == uri)
                return true;
        }

        return false;
    }
}
