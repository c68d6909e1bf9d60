using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Ports;

namespace Dataplane.Mesh.Identity;

/// <summary>Reads certificates and keys; whatever is wrong becomes an error that names the file.</summary>
internal static class PemFiles
{
    /// <summary>Reads a certificate with its key, and the intermediate ones behind it.</summary>
    /// <exception cref="IOException">A file cannot be read, is not PEM, or the key is not that of the certificate.</exception>
    internal static (X509Certificate2 Own, SslStreamCertificateContext Context) ReadOwn(string certificate, string key)
    {
        string at = $"certificate {certificate} or key {key}";
        try
        {
            X509Certificate2 own = X509Certificate2.CreateFromPemFile(certificate, key);
            at = $"certificate {certificate}";
            var intermediates = new X509Certificate2Collection();
            intermediates.ImportFromPemFile(certificate);
            intermediates.RemoveAt(0);
            return (own, SslStreamCertificateContext.Create(own, intermediates, offline: true));
        }
        catch (Exception error) when (IsOfFile(error))
        {
            throw new IOException($"{at}: {StreamErrors.OneLine(error.Message)}", error);
        }
    }

    /// <summary>Reads authorities, of which there must be one at least.</summary>
    /// <exception cref="IOException">The file cannot be read, or there is no certificate in it.</exception>
    internal static X509Certificate2Collection ReadAuthorities(string path)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(path);
        }
        catch (Exception error) when (IsOfFile(error))
        {
            throw new IOException($"authorities {path}: {StreamErrors.OneLine(error.Message)}", error);
        }

        return authorities.Count > 0 ? authorities : throw new IOException($"authorities {path}: there is no certificate in it");
    }

    private static bool IsOfFile(Exception error) => error is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException;
}
