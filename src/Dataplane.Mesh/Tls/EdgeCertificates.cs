using System.Net;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tls;

/// <summary>The certificates of an edge, each the newest good one.</summary>
internal sealed class EdgeCertificates : IDisposable
{
    private readonly WatchedFiles<NamedCertificate>[] _certificates;
    private readonly IReadOnlyList<CertificateSpec> _specs;

    /// <exception cref="IOException">A file cannot be used; the message says which and why.</exception>
    internal EdgeCertificates(IReadOnlyList<CertificateSpec> specs, Action<string> happened, TimeProvider time)
    {
        _specs = specs;
        var made = new List<WatchedFiles<NamedCertificate>>();
        try
        {
            foreach (CertificateSpec spec in specs)
            {
                made.Add(new WatchedFiles<NamedCertificate>([spec.Certificate, spec.Key], () => NamedCertificate.Read(spec),
                    text => happened($"certificate {spec.Certificate}: {text}"), time));
            }
        }
        catch
        {
            made.ForEach(file => file.Dispose());
            throw;
        }

        _certificates = [.. made];
    }

    /// <summary>The certificate for a name; the first one for no name; null for a name that none has.</summary>
    /// <remarks>An address is no name (RFC 6066, 3), although some clients send one: they get what those get that send none.</remarks>
    internal NamedCertificate? For(string name)
    {
        if (name.Length == 0)
            return _certificates[0].Current;
        bool isAddress = IPAddress.TryParse(name, out _);
        foreach (WatchedFiles<NamedCertificate> certificate in _certificates)
        {
            if (certificate.Current.IsFor(name))
                return certificate.Current;
        }

        return isAddress ? _certificates[0].Current : null;
    }

    internal IEnumerable<IdentityStatus> ReadStatus() =>
        _certificates.Select((file, index) => file.Status(_specs[index].Names.FirstOrDefault(_specs[index].Certificate), file.Current.NotAfter));

    internal void Look()
    {
        foreach (WatchedFiles<NamedCertificate> certificate in _certificates)
            certificate.Look();
    }

    public void Dispose()
    {
        foreach (WatchedFiles<NamedCertificate> certificate in _certificates)
            certificate.Dispose();
    }
}
