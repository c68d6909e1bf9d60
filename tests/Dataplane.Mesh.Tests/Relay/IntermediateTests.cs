using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>Peers whose authority is not in the bundle itself, but has a certificate from one that is, which they show.</summary>
public sealed class IntermediateTests
{
    [Fact]
    public async Task Inbound_PeerShowsIntermediate_IsAdmittedEachTime_AndWithoutItRefused()
    {
        await using var mesh = new MeshPair(Server.Echo());
        (string root, string intermediate, string leaf, string key) = Issue($"spiffe://example.org/{MeshPair.ClientPath}");
        await File.AppendAllTextAsync(mesh.Domain.Authority.BundlePath, root);
        await ShowAsync(mesh, leaf + intermediate, key);
        for (int time = 0; time < 3; time++)
        {
            using Socket client = await mesh.ConnectAsync();
            await client.SendAllAsync(new byte[] { 7 });
            Assert.Equal([7], await client.ReceiveAsync(1));
        }

        // The same certificate is known by now, but not without what led to its authority.
        await ShowAsync(mesh, leaf, key);
        await Wire.AssertResetAsync(mesh.ConnectAsync);
        await Patience.UntilAsync(() => mesh.InboundRecords.Any(record => record.Reason == RelayReason.CertificateUntrusted), "the refusal");
    }

    private static async Task ShowAsync(MeshPair mesh, string certificates, string key)
    {
        await File.WriteAllTextAsync(mesh.ClientIdentity.Key, key);
        await File.WriteAllTextAsync(mesh.ClientIdentity.Certificate, certificates);
        mesh.Inbound.RefreshCertificates();
        mesh.Outbound.RefreshCertificates();
    }

    private static (string Root, string Intermediate, string Leaf, string Key) Issue(string id)
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddMinutes(-5), until = from.AddHours(1);
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var leafKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 root = Authority("CN=root", rootKey).CreateSelfSigned(from, until);
        using X509Certificate2 middle = Authority("CN=intermediate", middleKey).Create(root, from, until, [1]).CopyWithPrivateKey(middleKey);
        var request = new CertificateRequest("CN=leaf", leafKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri(id));
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        using X509Certificate2 leaf = request.Create(middle, from, until, [2]);
        return (root.ExportCertificatePem() + "\n", middle.ExportCertificatePem() + "\n", leaf.ExportCertificatePem() + "\n", leafKey.ExportPkcs8PrivateKeyPem());
    }

    private static CertificateRequest Authority(string name, ECDsa key)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request;
    }
}
