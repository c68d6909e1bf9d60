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

    /// <summary>The callback of the handshake. What the runtime thinks of the chain is not asked: see <see cref="TlsSettings"/>.</summary>
    internal bool Admits(object sender, X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors)
    {
        Judgement = shown is X509Certificate2 certificate && chain is not null
            ? Judge(certificate, chain.ChainPolicy.ExtraStore)
            : new RelayEnd(RelayReason.CertificateMissing, side);
        return Judgement.IsGood;
    }

    private RelayEnd Judge(X509Certificate2 certificate, X509Certificate2Collection others)
    {
        PeerTrust trust = side == RelaySide.Client ? identity.ForClients : identity.ForServers;
        (UInt128, UInt128) key = VouchedPeers.KeyOf(certificate, others);
        SpiffeId? id = trust.Known.Find(key, TimeProvider.System.GetUtcNow().UtcDateTime);
        if (id is null)
        {
            using X509Chain chain = trust.NewChain(others);
            RelayEnd end = JudgeUnknown(certificate, chain, out id);
            if (end.IsGood)
                trust.Known.Add(key, id!, chain);
            foreach (X509ChainElement element in chain.ChainElements)
                element.Certificate.Dispose();
            if (!end.IsGood)
                return end;
        }

        if (wanted.Count > 0 && !wanted.Any(pattern => pattern.Matches(id!)))
            return new RelayEnd(RelayReason.IdentityWrong, side, $"{id}: wanted is {string.Join(" or ", wanted)}");
        Peer = id;
        return new RelayEnd(RelayReason.Completed, side);
    }

    private RelayEnd JudgeUnknown(X509Certificate2 certificate, X509Chain chain, out SpiffeId? id)
    {
        // Who it says it is goes into the record although nobody vouches for it: that is what an operator looks for.
        bool isSvid = X509Svid.TryRead(certificate, out id, out string problem);
        string who = id?.Text ?? certificate.Subject;
        if (!chain.Build(certificate))
            return new RelayEnd(ReasonOf(chain), side, who);
        if (!isSvid)
            return new RelayEnd(RelayReason.IdentityWrong, side, $"{who}: {problem}");
        return identity.IsVouchedFor(id!, chain, certificate)
            ? new RelayEnd(RelayReason.Completed, side)
            : new RelayEnd(RelayReason.CertificateUntrusted, side, $"{who}: no authority of {id!.TrustDomain} has signed it");
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
