using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Identity;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>How to reach an API server: where it is, who vouches for it, and what is shown to it. Immutable.</summary>
internal sealed record ClusterAccess
{
    /// <summary>Address of the server, perhaps with a path, such as <c>https://10.0.0.1:6443</c>.</summary>
    public required Uri Server { get; init; }

    /// <summary>Authorities of the server's certificate; null: those of the system.</summary>
    public X509Certificate2Collection? Authorities { get; init; }

    /// <summary>Name that the server's certificate must have in place of the address's host; empty: that.</summary>
    public string ServerName { get; init; } = "";

    /// <summary>Certificate shown to the server; null: none.</summary>
    public SslStreamCertificateContext? Certificate { get; init; }

    /// <summary>Word shown to the server; empty: none.</summary>
    public string Token { get; init; } = "";

    /// <summary>File that holds the word, read before each request because it is renewed; empty: none.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Reads access as a pod of a cluster has it.</summary>
    /// <exception cref="IOException">This is no pod, or its files cannot be read.</exception>
    public static ClusterAccess OfPod()
    {
        const string Folder = "/var/run/secrets/kubernetes.io/serviceaccount";
        string? host = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST"), port = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT");
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port))
        {
            throw new IOException("this is no pod of a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
        }

        return new ClusterAccess
        {
            Server = new Uri($"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}"),
            Authorities = PemFiles.ReadAuthorities($"{Folder}/ca.crt"),
            TokenFile = $"{Folder}/token",
        };
    }

    /// <summary>The word to show now.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public string ReadToken()
    {
        try
        {
            return TokenFile.Length > 0 ? File.ReadAllText(TokenFile).Trim() : Token;
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new IOException(refused.Message, refused);
        }
    }

    /// <summary>Settings of TLS to the server.</summary>
    public SslClientAuthenticationOptions ToTls()
    {
        var options = new SslClientAuthenticationOptions { ClientCertificateContext = Certificate };
        if (Authorities is not null)
        {
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities);
            options.CertificateChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
        }

        return options;
    }
}
