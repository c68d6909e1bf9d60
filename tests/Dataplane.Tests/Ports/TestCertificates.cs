using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Ports;

namespace Dataplane.Tests.Ports;

/// <summary>An authority for tests, and the certificates it gives out, as files.</summary>
internal sealed class TestCertificates : IDisposable
{
    private readonly string _folder;
    private readonly X509Certificate2 _authority;
    private readonly X509Certificate2 _stranger;
    private readonly string _ca;
    private int _serial;

    public TestCertificates(string folder)
    {
        _folder = folder;
        _authority = MakeAuthority("CN=Test authority");
        _stranger = MakeAuthority("CN=Another authority");
        _ca = PathOf("ca.pem");
        File.WriteAllText(_ca, _authority.ExportCertificatePem());
    }

    /// <summary>Makes <c>name.test</c> with URI <c>spiffe://test/name</c>, for the use of a port.</summary>
    /// <param name="name">First part of the name; also that of the files.</param>
    /// <param name="peer">The name that the peer must have.</param>
    /// <param name="notAfter">Its end, relative to now.</param>
    /// <param name="isStranger">Whether another authority gives it out.</param>
    /// <param name="usage">For what it is; null: for everything.</param>
    public StreamTls Make(string name, string peer, TimeSpan? notAfter = null, bool isStranger = false, string? usage = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName($"{name}.test");
        names.AddIpAddress(System.Net.IPAddress.Parse("2001:db8::1"));
        names.AddUri(new Uri($"spiffe://test/{name}"));
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        if (usage is not null)
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow(), end = now + (notAfter ?? TimeSpan.FromDays(1));
        X509Certificate2 issuer = isStranger ? _stranger : _authority;
        using X509Certificate2 made = request.Create(issuer, issuer.NotBefore.AddMinutes(1), end, [1, (byte)(_serial >> 8), (byte)_serial++]);
        var tls = new StreamTls { Certificate = PathOf($"{name}.pem"), Key = PathOf($"{name}.key"), Ca = _ca, Peer = peer };
        File.WriteAllText(tls.Certificate, made.ExportCertificatePem());
        File.WriteAllText(tls.Key, key.ExportPkcs8PrivateKeyPem());
        return tls;
    }

    public void Dispose()
    {
        _authority.Dispose();
        _stranger.Dispose();
    }

    private static X509Certificate2 MakeAuthority(string subject)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-30), now.AddDays(30));
    }

    private string PathOf(string file) => Path.Combine(_folder, file);
}
