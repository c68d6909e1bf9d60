using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tls;

/// <summary>Judges the certificate of one peer of the mesh: the chain, the trust domain, the identity.</summary>
/// <param name="identity">Whom we believe.</param>
/// <param name="wanted">Who the peer may be; none: anybody whom an authority vouches for, because policies judge later.</param>
/// <param name="side">Which side the peer is.</param>
internal sealed class PeerJudge(IdentitySnapshot identity, IReadOnlyList<SpiffePattern> wanted, RelaySide side)
{
    /// <summary>Why the certificate is refused; completed when it is not, or has not been seen.</summary>
    internal RelayEnd Judgement { get; private set; } = new(RelayReason.Completed, side);

    /// <summary>Who the peer is, once it has been believed.</summary>
    internal SpiffeId? Peer { get; private set; }

    /// <summary>The callback of the handshake.</summary>
    internal bool Admits(object sender, X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors)
    {
        Judgement = shown is X509Certificate2 certificate && chain is not null
            ? Judge(certificate, chain, errors)
            : new RelayEnd(RelayReason.CertificateMissing, side);
        return Judgement.IsGood;
    }

    private RelayEnd Judge(X509Certificate2 certificate, X509Chain chain, SslPolicyErrors errors)
    {
        // Who it says it is goes into the record although nobody vouches for it: that is what an operator looks for.
        bool isSvid = X509Svid.TryRead(certificate, out SpiffeId? id, out string problem);
        string who = id?.Text ?? certificate.Subject;
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
            return new RelayEnd(ReasonOf(chain), side, who);
        if (!isSvid)
            return new RelayEnd(RelayReason.IdentityWrong, side, $"{who}: {problem}");
        if (!identity.IsVouchedFor(id!, chain, certificate))
            return new RelayEnd(RelayReason.CertificateUntrusted, side, $"{who}: no authority of {id!.TrustDomain} has signed it");
        if (wanted.Count > 0 && !wanted.Any(pattern => pattern.Matches(id!)))
            return new RelayEnd(RelayReason.IdentityWrong, side, $"{who}: wanted is {string.Join(" or ", wanted)}");
        Peer = id;
        return new RelayEnd(RelayReason.Completed, side);
    }

    internal static RelayReason ReasonOf(X509Chain chain)
    {
        X509ChainStatusFlags all = chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (flags, status) => flags | status.Status);
        return all switch
        {
            X509ChainStatusFlags.NotTimeValid => RelayReason.CertificateExpired,
            X509ChainStatusFlags.NotValidForUsage => RelayReason.CertificateUsage,
            _ => RelayReason.CertificateUntrusted,
        };
    }
}
