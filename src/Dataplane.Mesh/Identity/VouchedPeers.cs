using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Mesh.Identity;

/// <summary>The certificates that the authorities of one snapshot were found to vouch for, so that the same peer is not judged anew at each of its connections. Any thread.</summary>
/// <remarks>
/// A chain of certificates has the same signatures, names and usages whenever it is looked at; only the time changes what it is worth. So what is remembered is
/// the time in which all of its certificates are valid, and nothing of a refusal. The memory belongs to a snapshot: other authorities begin with an empty one.
/// That the peer has the key of its certificate, TLS proves in each handshake. Nobody is asked for revocations; where that is introduced, this must know of it too.
/// </remarks>
internal sealed class VouchedPeers
{
    /// <summary>Certificates remembered at most, some 200 bytes each; with more all are forgotten, and judged once more.</summary>
    internal const int MaxPeers = 4096;

    private readonly ConcurrentDictionary<(UInt128, UInt128), Peer> _peers = new();

    internal int Count => _peers.Count;

    /// <summary>What is remembered of a peer is found by all that it showed: its certificate, and the ones that it said lead to an authority.</summary>
    internal static (UInt128 High, UInt128 Low) KeyOf(X509Certificate2 certificate, X509Certificate2Collection others)
    {
        // Each is DER, which tells its own length: no two lists make the same bytes.
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(certificate.RawDataMemory.Span);
        foreach (X509Certificate2 other in others)
            hash.AppendData(other.RawDataMemory.Span);
        Span<UInt128> key = stackalloc UInt128[2];
        hash.GetHashAndReset(MemoryMarshal.AsBytes(key));
        return (key[0], key[1]);
    }

    /// <summary>Who the peer is, if it was vouched for and the chain is valid now; null when it must be judged.</summary>
    internal SpiffeId? Find((UInt128, UInt128) key, DateTime utcNow) =>
        _peers.TryGetValue(key, out Peer peer) && utcNow > peer.From && utcNow < peer.Until ? peer.Id : null;

    /// <summary>Remembers a peer that was vouched for.</summary>
    /// <param name="key">Of what it showed.</param>
    /// <param name="id">Who it is.</param>
    /// <param name="chain">The chain that was built and found good.</param>
    internal void Add((UInt128, UInt128) key, SpiffeId id, X509Chain chain)
    {
        DateTime from = DateTime.MinValue, until = DateTime.MaxValue;
        foreach (X509ChainElement element in chain.ChainElements)
        {
            DateTime begin = element.Certificate.NotBefore.ToUniversalTime(), end = element.Certificate.NotAfter.ToUniversalTime();
            from = begin > from ? begin : from;
            until = end < until ? end : until;
        }

        if (_peers.Count >= MaxPeers)
            _peers.Clear();
        _peers[key] = new Peer(id, from, until);
    }

    private readonly record struct Peer(SpiffeId Id, DateTime From, DateTime Until);
}
