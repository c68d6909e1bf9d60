using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Mesh.Identity;

/// <summary>One set of files as it was read: what is shown of oneself, and whom one believes. Immutable; connections keep the one they began with.</summary>
internal sealed class IdentitySnapshot
{
    private static readonly Oid s_serverUse = new(X509Svid.ServerUse), s_clientUse = new(X509Svid.ClientUse);
    private readonly Dictionary<string, X509Certificate2Collection> _bundles;
    private readonly X509Certificate2Collection _all = [];

    private IdentitySnapshot(SpiffeId id, X509Certificate2 own, SslStreamCertificateContext context, Dictionary<string, X509Certificate2Collection> bundles)
    {
        Id = id;
        Context = context;
        NotAfter = own.NotAfter.ToUniversalTime();
        _bundles = bundles;
        foreach (X509Certificate2Collection bundle in bundles.Values)
            _all.AddRange(bundle);
        ForClients = new PeerTrust(Policy(_all, s_clientUse), new VouchedPeers());
        ForServers = new PeerTrust(Policy(_all, s_serverUse), new VouchedPeers());
    }

    /// <summary>Who this is.</summary>
    internal SpiffeId Id { get; }

    /// <summary>The own certificate with the intermediate ones.</summary>
    internal SslStreamCertificateContext Context { get; }

    /// <summary>When the own certificate ends to be valid.</summary>
    internal DateTimeOffset NotAfter { get; }

    /// <summary>How certificates of clients are judged: by the bundles alone, without asking anybody over the network.</summary>
    internal PeerTrust ForClients { get; }

    /// <summary>How certificates of servers are judged.</summary>
    internal PeerTrust ForServers { get; }

    /// <summary>Reads the files of a specification.</summary>
    /// <exception cref="IOException">One cannot be read or used; the message says which and why.</exception>
    internal static IdentitySnapshot Read(IdentitySpec spec)
    {
        (X509Certificate2 own, SslStreamCertificateContext context) = PemFiles.ReadOwn(spec.Certificate, spec.Key);
        if (!X509Svid.TryRead(own, out SpiffeId? id, out string problem))
            throw new IOException($"certificate {spec.Certificate} is no X.509-SVID: {problem}");
        return new IdentitySnapshot(id!, own, context, spec.Bundles.ToDictionary(bundle => bundle.Key, bundle => PemFiles.ReadAuthorities(bundle.Value)));
    }

    /// <summary>Whether a chain ends at an authority of the trust domain that its first certificate claims.</summary>
    /// <remarks>
    /// The chain was built with the authorities of all trust domains. Where authorities have signed one another it may have ended at another
    /// domain's although there is a way to one of its own, so it is then built once more with those alone.
    /// </remarks>
    internal bool IsVouchedFor(SpiffeId id, X509Chain chain, X509Certificate2 certificate)
    {
        if (!_bundles.TryGetValue(id.TrustDomain, out X509Certificate2Collection? bundle))
            return false;
        if (chain.ChainElements.Count > 0 && bundle.Contains(chain.ChainElements[^1].Certificate))
            return true;
        if (_bundles.Count == 1)
            return false;
        using var again = new X509Chain();
        again.ChainPolicy = Policy(bundle, chain.ChainPolicy.ApplicationPolicy[0]);
        foreach (X509ChainElement element in chain.ChainElements)
            again.ChainPolicy.ExtraStore.Add(element.Certificate);
        return again.Build(certificate);
    }

    private static X509ChainPolicy Policy(X509Certificate2Collection authorities, Oid usage)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(authorities);
        policy.ApplicationPolicy.Add(usage);
        return policy;
    }
}
