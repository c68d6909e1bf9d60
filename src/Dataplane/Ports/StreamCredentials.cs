using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Dataplane.Ports;

/// <summary>What a port shows of itself, and whom it believes: read from files for one connection.</summary>
internal sealed class StreamCredentials : IDisposable
{
    private readonly X509Certificate2 _own;
    private readonly X509Certificate2Collection _intermediates = [];
    private readonly X509Certificate2Collection _authorities = [];

    private StreamCredentials(StreamTls tls)
    {
        string at = $"certificate {tls.Certificate} or key {tls.Key}";
        try
        {
            _own = X509Certificate2.CreateFromPemFile(tls.Certificate, tls.Key);
            at = $"certificate {tls.Certificate}";
            _intermediates.ImportFromPemFile(tls.Certificate);
            _intermediates[0].Dispose();
            _intermediates.RemoveAt(0);
            at = $"ca {tls.Ca}";
            _authorities.ImportFromPemFile(tls.Ca);
            if (_authorities.Count == 0)
                throw new CryptographicException("there is no certificate in it");
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            Dispose();
            throw new IOException($"{at}: {StreamErrors.OneLine(error.Message)}", error);
        }
    }

    /// <summary>The port's own certificate with the intermediate ones.</summary>
    internal SslStreamCertificateContext Own => SslStreamCertificateContext.Create(_own, _intermediates, offline: true);

    /// <summary>Reads the files.</summary>
    /// <exception cref="IOException">A file cannot be read, is not PEM, or the key is not that of the certificate; the message says which.</exception>
    internal static StreamCredentials Read(StreamTls tls) => new(tls);

    /// <summary>How certificates are judged: by the port's own authorities alone, and without asking anybody over the network.</summary>
    /// <param name="usage">What the peer's certificate must be for (extended key usage), if it says.</param>
    internal X509ChainPolicy PolicyFor(Oid usage)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(_authorities);
        policy.ApplicationPolicy.Add(usage);
        return policy;
    }

    /// <summary>Forgets key and certificates.</summary>
    public void Dispose()
    {
        _own?.Dispose();
        foreach (X509Certificate2 certificate in _intermediates)
            certificate.Dispose();
        foreach (X509Certificate2 certificate in _authorities)
            certificate.Dispose();
    }
}
