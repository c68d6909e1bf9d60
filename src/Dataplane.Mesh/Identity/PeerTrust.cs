using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Mesh.Identity;

/// <summary>How the peers on one side are judged, and which were judged good already.</summary>
/// <param name="policy">The authorities, and what a certificate must be for.</param>
/// <param name="known">The peers that they vouch for.</param>
internal sealed class PeerTrust(X509ChainPolicy policy, VouchedPeers known)
{
    internal VouchedPeers Known { get; } = known;

    /// <summary>A chain to be built, by certificates that the peer showed besides its own.</summary>
    internal X509Chain NewChain(X509Certificate2Collection others)
    {
        var chain = new X509Chain { ChainPolicy = policy.Clone() };
        chain.ChainPolicy.ExtraStore.AddRange(others);
        return chain;
    }
}
