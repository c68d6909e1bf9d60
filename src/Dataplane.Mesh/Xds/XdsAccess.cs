using System.Net.Security;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Kubernetes;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Xds;

/// <summary>Connections to discovery servers. Files of certificates are read anew for each, so that they may be renewed.</summary>
internal static class XdsAccess
{
    /// <summary>Makes a client for one stream.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static HttpClient Open(MeshSourceSpec spec) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        SslOptions = Tls(spec),
        KeepAlivePingDelay = TimeSpan.FromSeconds(20),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private static SslClientAuthenticationOptions Tls(MeshSourceSpec spec) => new ClusterAccess
    {
        Server = new Uri(spec.Endpoints[0]),
        Authorities = spec.CertificateAuthority.Length > 0 ? PemFiles.ReadAuthorities(spec.CertificateAuthority) : null,
        Certificate = spec.Certificate.Length > 0 ? PemFiles.ReadOwn(spec.Certificate, spec.Key).Context : null,
    }.ToTls();
}
