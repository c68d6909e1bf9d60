using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Identity;

public sealed class DevelopmentAuthorityTests
{
    [Fact]
    public void Issue_Svid_IsOneByTheRules()
    {
        using var domain = new TrustDomain();
        IdentitySpec spec = domain.Issue("ns/shop/sa/web");
        using X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(spec.Certificate, spec.Key);
        Assert.True(X509Svid.TryRead(certificate, out SpiffeId? id, out string problem), problem);
        Assert.Equal("spiffe://example.org/ns/shop/sa/web", id!.Text);
        Assert.Equal("ECDSA", certificate.PublicKey.Oid.FriendlyName is "ECC" ? "ECDSA" : certificate.PublicKey.Oid.FriendlyName);
        Assert.True(certificate.MatchesHostname("web.test"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(spec.Key));
    }

    [Fact]
    public void Issue_Svid_IsBelievedByOpenSsl()
    {
        using var domain = new TrustDomain();
        IdentitySpec spec = domain.Issue("ns/shop/sa/web");
        (int code, string text) = OpenSsl("verify", "-x509_strict", "-CAfile", domain.Authority.BundlePath, spec.Certificate);
        Assert.True(code == 0, text);
        (_, text) = OpenSsl("x509", "-in", spec.Certificate, "-noout", "-text");
        Assert.Contains("URI:spiffe://example.org/ns/shop/sa/web", text, StringComparison.Ordinal);
        Assert.Contains("CA:FALSE", text, StringComparison.Ordinal);
        Assert.Contains("Digital Signature", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Rotate_Authority_BothAreInTheBundle()
    {
        using var domain = new TrustDomain();
        IdentitySpec before = domain.Issue("ns/shop/sa/web");
        domain.Rotate();
        IdentitySpec after = domain.Issue("ns/shop/sa/web");
        foreach (IdentitySpec spec in (IdentitySpec[])[before, after])
        {
            (int code, string text) = OpenSsl("verify", "-CAfile", domain.Authority.BundlePath, spec.Certificate);
            Assert.True(code == 0, text);
        }

        Assert.Equal(2, domain.Authority.ReadBundle().Split("BEGIN CERTIFICATE").Length - 1);
    }

    [Fact]
    public void Create_WhereOneIs_AndIssueForAnotherDomain_AreRefused()
    {
        using var folder = new TemporaryFolder();
        var authority = DevelopmentAuthority.Create(folder["ca"], "example.org", TimeSpan.FromDays(1));
        Assert.Contains("already", Assert.Throws<IOException>(() => DevelopmentAuthority.Create(folder["ca"], "example.org", TimeSpan.FromDays(1))).Message, StringComparison.Ordinal);
        Assert.Throws<IOException>(() => DevelopmentAuthority.Create(folder["none"], "example.org", TimeSpan.FromDays(1), rotate: true));
        Assert.Throws<IOException>(() => DevelopmentAuthority.Create(folder["bad"], "Example", TimeSpan.FromDays(1)));
        Assert.Throws<IOException>(() => DevelopmentAuthority.Open(folder["none"]));
        IOException other = Assert.Throws<IOException>(() =>
            authority.Issue(SpiffeId.Parse("spiffe://other.org/x"), folder["a"], folder["b"], TimeSpan.FromHours(1)));
        Assert.Contains("spiffe://example.org", other.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ns/shop/sa/web", null, "")]
    [InlineData(null, null, "no URI")]
    [InlineData("", null, "names a trust domain")]
    [InlineData("ns/shop/sa/web", "second", "several URIs")]
    public void TryRead_OtherCertificates_AreToldWhatIsWrong(string? first, string? second, string problem)
    {
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new CertificateRequest("CN=x", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("x.test");
        foreach (string? uri in (string?[])[first, second])
        {
            if (uri is not null)
                names.AddUri(new Uri($"spiffe://example.org/{uri}".TrimEnd('/')));
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 certificate = request.CreateSelfSigned(now, now.AddDays(1));
        bool isGood = X509Svid.TryRead(certificate, out _, out string said);
        Assert.Equal(problem.Length == 0, isGood);

        // The runtime's builder puts a slash behind a bare trust domain, which is an error of its own.
        Assert.True(said.Contains(problem, StringComparison.Ordinal) || said.Contains("slash", StringComparison.Ordinal), said);
    }

    private static (int Code, string Text) OpenSsl(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("openssl", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, text);
    }
}
