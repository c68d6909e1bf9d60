using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tls;

/// <summary>A certificate of the edge with the names it is shown for.</summary>
internal sealed class NamedCertificate
{
    private readonly X509Certificate2 _own;
    private readonly string[] _names;

    private NamedCertificate(X509Certificate2 own, SslStreamCertificateContext context, IReadOnlyList<string> names)
    {
        _own = own;
        Context = context;
        NotAfter = own.NotAfter.ToUniversalTime();
        _names = [.. names.Select(ClientHello.Normal)];
    }

    internal SslStreamCertificateContext Context { get; }

    internal DateTimeOffset NotAfter { get; }

    /// <exception cref="IOException">A file cannot be used; the message says which and why.</exception>
    internal static NamedCertificate Read(CertificateSpec spec)
    {
        (X509Certificate2 own, SslStreamCertificateContext context) = PemFiles.ReadOwn(spec.Certificate, spec.Key);
        return new NamedCertificate(own, context, spec.Names);
    }

    /// <summary>Whether it is for a name: a wildcard stands for one label (RFC 9525, 6.3), and the subject's common name is no name.</summary>
    internal bool IsFor(string name)
    {
        if (_names.Length == 0)
            return Uri.CheckHostName(name) != UriHostNameType.Unknown && _own.MatchesHostname(name, allowWildcards: true, allowCommonName: false);
        foreach (string own in _names)
        {
            int dot = name.IndexOf('.', StringComparison.Ordinal);
            if (own == name || (own.StartsWith("*.", StringComparison.Ordinal) && dot > 0 && name.AsSpan(dot).SequenceEqual(own.AsSpan(1))))
                return true;
        }

        return false;
    }
}
