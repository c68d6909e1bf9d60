using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Tests.Identity;

/// <summary>A peer that was found good is known again, as long as its chain is valid, and nobody else is taken for it.</summary>
public sealed class VouchedPeersTests
{
    private const string Path = "ns/shop/sa/web";

    [Fact]
    public void Judge_SamePeerAgain_IsKnownAndIsWhoItWas()
    {
        using var domain = new TrustDomain();
        IdentitySnapshot identity = IdentitySnapshot.Read(domain.Issue(Path));
        IdentitySpec peer = domain.Issue("ns/shop/sa/client");
        for (int time = 0; time < 3; time++)
        {
            PeerJudge judge = Judge(identity, peer.Certificate);
            Assert.Equal((RelayReason.Completed, "spiffe://example.org/ns/shop/sa/client"), (judge.Judgement.Reason, judge.Peer?.Text));
            Assert.Equal(1, identity.ForClients.Known.Count);
        }

        Assert.Equal(0, identity.ForServers.Known.Count);
    }

    [Fact]
    public void Judge_KnownPeerThatIsNotWanted_IsRefused()
    {
        using var domain = new TrustDomain();
        IdentitySnapshot identity = IdentitySnapshot.Read(domain.Issue(Path));
        IdentitySpec peer = domain.Issue("ns/shop/sa/client");
        Assert.True(Judge(identity, peer.Certificate).Judgement.IsGood);
        PeerJudge judge = Judge(identity, peer.Certificate, SpiffePattern.Parse("spiffe://example.org/ns/shop/sa/db"));
        Assert.Equal((RelayReason.IdentityWrong, null), (judge.Judgement.Reason, judge.Peer));
    }

    [Fact]
    public void Judge_RefusedPeers_AreNotRemembered()
    {
        using var domain = new TrustDomain();
        using var other = new TrustDomain();
        IdentitySnapshot identity = IdentitySnapshot.Read(domain.Issue(Path));
        IdentitySpec stranger = other.Issue("ns/shop/sa/client"), expired = domain.Issue("ns/shop/sa/client", TimeSpan.FromSeconds(-10));
        for (int time = 0; time < 2; time++)
        {
            Assert.Equal(RelayReason.CertificateUntrusted, Judge(identity, stranger.Certificate).Judgement.Reason);
            Assert.Equal(RelayReason.CertificateExpired, Judge(identity, expired.Certificate).Judgement.Reason);
        }

        Assert.Equal(0, identity.ForClients.Known.Count);
    }

    [Fact]
    public void Judge_OtherAuthoritiesThanBefore_KnowsNobody()
    {
        using var domain = new TrustDomain();
        using var other = new TrustDomain();
        IdentitySpec own = domain.Issue(Path), peer = domain.Issue("ns/shop/sa/client");
        Assert.True(Judge(IdentitySnapshot.Read(own), peer.Certificate).Judgement.IsGood);

        // The same name, certificate and key; only the bundle is another.
        File.Copy(other.Authority.BundlePath, domain.Authority.BundlePath, overwrite: true);
        Assert.Equal(RelayReason.CertificateUntrusted, Judge(IdentitySnapshot.Read(own), peer.Certificate).Judgement.Reason);
    }

    [Fact]
    public void Find_OutsideOfTheTimeOfAnyCertificateInTheChain_KnowsNobody()
    {
        // The authority's time is the shorter one at its end, the leaf's at its begin.
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 authority = NewAuthority(now.AddHours(-2), now.AddHours(1));
        using X509Certificate2 leaf = NewLeaf(authority, now.AddHours(-1), now.AddHours(1).AddTicks(-TimeSpan.TicksPerSecond));
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        Assert.True(chain.Build(leaf));
        var known = new VouchedPeers();
        (UInt128, UInt128) key = VouchedPeers.KeyOf(leaf, []);
        known.Add(key, SpiffeId.Parse("spiffe://example.org/a"), chain);
        DateTime from = leaf.NotBefore.ToUniversalTime(), until = leaf.NotAfter.ToUniversalTime();
        Assert.Equal("spiffe://example.org/a", known.Find(key, from.AddSeconds(1))?.Text);
        Assert.Equal("spiffe://example.org/a", known.Find(key, until.AddSeconds(-1))?.Text);
        Assert.Null(known.Find(key, from));
        Assert.Null(known.Find(key, until));
        Assert.Null(known.Find((key.Item2, key.Item1), from.AddSeconds(1)));
    }

    [Fact]
    public void Find_AuthorityEndsBeforeItsCertificates_EndsWithTheAuthority()
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 authority = NewAuthority(now.AddHours(-1), now.AddMinutes(30));
        using X509Certificate2 leaf = NewLeaf(authority, now.AddHours(-1), now.AddMinutes(30));
        using X509Certificate2 shorter = NewAuthority(now.AddHours(-1), now.AddMinutes(10), authority.GetECDsaPrivateKey()!);
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.Add(shorter);
        Assert.True(chain.Build(leaf));
        var known = new VouchedPeers();
        (UInt128, UInt128) key = VouchedPeers.KeyOf(leaf, []);
        known.Add(key, SpiffeId.Parse("spiffe://example.org/a"), chain);
        Assert.NotNull(known.Find(key, now.UtcDateTime.AddMinutes(9)));
        Assert.Null(known.Find(key, now.UtcDateTime.AddMinutes(11)));
    }

    [Fact]
    public void Add_MorePeersThanAreRemembered_StaysBounded()
    {
        using X509Certificate2 authority = NewAuthority(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        using var chain = new X509Chain();
        chain.Build(authority);
        var known = new VouchedPeers();
        for (int peer = 0; peer < VouchedPeers.MaxPeers + 10; peer++)
            known.Add(((UInt128)peer, 0), SpiffeId.Parse("spiffe://example.org/a"), chain);
        Assert.Equal(10, known.Count);
    }

    [Fact]
    public void KeyOf_WhatWasShownBesides_IsPartOfIt()
    {
        using X509Certificate2 one = NewAuthority(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        using X509Certificate2 two = NewAuthority(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        var keys = new HashSet<(UInt128, UInt128)> { VouchedPeers.KeyOf(one, []), VouchedPeers.KeyOf(two, []), VouchedPeers.KeyOf(one, [two]), VouchedPeers.KeyOf(one, [two, two]) };
        Assert.Equal(4, keys.Count);
        Assert.Contains(VouchedPeers.KeyOf(one, [two]), keys);
    }

    /// <summary>A judgement as the handshake asks for it: with a chain of the runtime's that believes nobody.</summary>
    private static PeerJudge Judge(IdentitySnapshot identity, string certificate, params SpiffePattern[] wanted)
    {
        var judge = new PeerJudge(identity, wanted, RelaySide.Client);
        using X509Certificate2 shown = X509CertificateLoader.LoadCertificateFromFile(certificate);
        using var chain = new X509Chain();
        judge.Admits(judge, shown, chain, SslPolicyErrors.RemoteCertificateChainErrors);
        return judge;
    }

    private static X509Certificate2 NewAuthority(DateTimeOffset from, DateTimeOffset until, ECDsa? key = null)
    {
        using ECDsa own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=authority", key ?? own, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(from, until);
    }

    private static X509Certificate2 NewLeaf(X509Certificate2 authority, DateTimeOffset from, DateTimeOffset until)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=leaf", key, HashAlgorithmName.SHA256).Create(authority, from, until, [1, 2, 3]);
    }
}
